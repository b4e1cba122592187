//! A network of the cluster's own: one namespace for each broker, one for the clients, and one with the bridge
//! between them. It has no way out of the machine.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::tool;

pub(crate) const KAFKA_PORT: u16 = 9092;
pub(crate) const ADMIN_PORT: u16 = 9644;
const WIRE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers/wire.py");

/// The address of a broker.
pub(crate) fn broker_address(id: usize) -> String {
    format!("10.77.0.{}", id + 1)
}

const CLIENT_ADDRESS: &str = "10.77.0.200";

/// What the names of all our namespaces begin with.
const PREFIX: &str = "vltava-faults-";

/// What a wire does to the frames on it, each way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BadWire {
    pub(crate) delay_ms: u32,
    pub(crate) jitter_ms: u32,
    pub(crate) loss_percent: u32,
}

/// The namespaces, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Network {
    prefix: String,
    brokers: usize,
    made: Vec<String>,
    wires: Vec<(usize, Option<Child>)>,
}

impl Network {
    pub(crate) fn new(brokers: usize) -> Result<Self> {
        // The process id makes the names ours alone; the addresses are seen inside only.
        let prefix = format!("{PREFIX}{}", std::process::id());
        let mut network = Self { prefix, brokers, made: Vec::new(), wires: Vec::new() };
        let bridge = network.bridge();
        network.make(&bridge)?;
        tool::words(&format!("ip -n {bridge} link add hub type bridge"))?;
        tool::words(&format!("ip -n {bridge} link set hub up"))?;
        for id in 0..brokers {
            network.attach(&network.broker(id), &port(id), &broker_address(id))?;
        }
        network.attach(&network.clients(), "clients", CLIENT_ADDRESS)?;
        Ok(network)
    }

    fn make(&mut self, name: &str) -> Result<()> {
        tool::run("ip", ["netns", "add", name])
            .context("network namespaces need root, and Debian's package iproute2")?;
        self.made.push(name.to_owned());
        tool::words(&format!("ip -n {name} link set lo up")).map(drop)
    }

    fn attach(&mut self, name: &str, port: &str, address: &str) -> Result<()> {
        self.make(name)?;
        let bridge = self.bridge();
        tool::words(&format!(
            "ip -n {bridge} link add {port} type veth peer name eth0 netns {name}"
        ))?;
        tool::words(&format!("ip -n {bridge} link set {port} master hub up"))?;
        tool::words(&format!("ip -n {name} address add {address}/24 dev eth0"))?;
        tool::words(&format!("ip -n {name} link set eth0 up")).map(drop)
    }

    fn bridge(&self) -> String {
        format!("{}-hub", self.prefix)
    }

    fn broker(&self, id: usize) -> String {
        format!("{}-{id}", self.prefix)
    }

    fn clients(&self) -> String {
        format!("{}-clients", self.prefix)
    }

    /// A command inside a broker's namespace. `nsenter` becomes the program: its process id is the program's.
    pub(crate) fn in_broker(&self, id: usize) -> Command {
        inside(&self.broker(id))
    }

    /// A command inside the clients' namespace.
    pub(crate) fn in_clients(&self) -> Command {
        inside(&self.clients())
    }

    /// `node` hears nothing from `deaf_to` and what it says does not reach `mute_to`; in place of what was cut
    /// before. Only packets between brokers: clients reach all of them.
    pub(crate) fn cut(&self, node: usize, deaf_to: &[usize], mute_to: &[usize]) -> Result<()> {
        let rules = rules(deaf_to, mute_to);
        tool::run_command(self.in_broker(node).args(["nft", "-f", "-"]), &rules)
            .context("cutting a connection needs Debian's package nftables")
            .map(drop)
    }

    /// Takes the broker off the network, for clients too.
    pub(crate) fn unplug(&self, node: usize) -> Result<()> {
        tool::words(&format!("ip -n {} link set {} down", self.bridge(), port(node))).map(drop)
    }

    /// Puts a bad wire between the broker and the bridge.
    pub(crate) fn degrade(&mut self, node: usize, wire: BadWire, seed: u64) -> Result<()> {
        let BadWire { delay_ms, jitter_ms, loss_percent } = wire;
        let (bridge, port) = (self.bridge(), port(node));
        let netem = format!(
            "tc -n {bridge} qdisc add dev {port} root netem delay {delay_ms}ms {jitter_ms}ms \
             loss {loss_percent}%"
        );
        if tool::words(&netem).is_ok() {
            // That was the way to the broker; this is the way from it.
            let back = format!("tc -n {} qdisc add dev eth0 root", self.broker(node));
            let netem = netem.split_once("root").map_or("", |(_, rest)| rest);
            tool::words(&format!("{back}{netem}"))?;
            self.wires.push((node, None));
            return Ok(());
        }
        let (near, far) = (format!("{port}-near"), format!("{port}-far"));
        tool::words(&format!("ip -n {bridge} link add {near} type veth peer name {far}"))?;
        for link in [&near, &far] {
            tool::words(&format!("ip -n {bridge} link set {link} up"))?;
        }
        let mut child = inside(&bridge)
            .args(["python3", WIRE, &port, &near])
            .args([delay_ms, jitter_ms, loss_percent].map(|number| number.to_string()))
            .arg(seed.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut said)?;
        self.wires.push((node, Some(child)));
        ensure!(said.trim() == "ready", "the bad wire did not start: {said}");
        tool::words(&format!("ip -n {bridge} link set {port} nomaster"))?;
        tool::words(&format!("ip -n {bridge} link set {far} master hub")).map(drop)
    }

    /// Everything reaches everything again.
    pub(crate) fn heal(&mut self) -> Result<()> {
        let bridge = self.bridge();
        for (node, wire) in std::mem::take(&mut self.wires) {
            let port = port(node);
            if let Some(mut child) = wire {
                child.kill()?;
                child.wait()?;
                tool::words(&format!("ip -n {bridge} link delete {port}-near"))?;
                tool::words(&format!("ip -n {bridge} link set {port} master hub"))?;
            } else {
                tool::words(&format!("tc -n {bridge} qdisc delete dev {port} root"))?;
                tool::words(&format!("tc -n {} qdisc delete dev eth0 root", self.broker(node)))?;
            }
        }
        for node in 0..self.brokers {
            tool::words(&format!("ip -n {bridge} link set {} up", port(node)))?;
            self.cut(node, &[], &[])?;
        }
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for child in self.wires.iter_mut().filter_map(|(_, child)| child.as_mut()) {
            child.kill().ok();
            child.wait().ok();
        }
        for name in &self.made {
            tool::run("ip", ["netns", "delete", name]).ok();
        }
    }
}

/// Removes what harnesses left behind that were killed: namespaces that carry the number of no process.
pub(crate) fn sweep() -> Result<()> {
    for line in tool::words("ip netns list")?.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let process = rest.split('-').next().unwrap_or_default();
        if !std::path::Path::new("/proc").join(process).exists() {
            tool::run("ip", ["netns", "delete", name])?;
        }
    }
    Ok(())
}

/// The bridge's end of a broker's cable.
fn port(id: usize) -> String {
    format!("broker-{id}")
}

/// Not by `ip netns exec`, which gives each program mounts of its own: a disk could not be unmounted under it.
fn inside(name: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{name}"));
    // It ends with the harness, however that ends.
    command.args(["setpriv", "--pdeathsig", "KILL"]);
    command
}

fn rules(deaf_to: &[usize], mute_to: &[usize]) -> String {
    // Made first, so that deleting it never fails.
    let mut rules = String::from("table inet faults\ndelete table inet faults\n");
    let chain = |rules: &mut String, hook: &str, field: &str, ids: &[usize]| {
        if ids.is_empty() {
            return;
        }
        let addresses: Vec<String> = ids.iter().map(|id| broker_address(*id)).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            rules,
            "chain {hook} {{\ntype filter hook {hook} priority 0;\nip {field} {{ {} }} drop\n}}",
            addresses.join(", ")
        );
    };
    rules.push_str("table inet faults {\n");
    chain(&mut rules, "input", "saddr", deaf_to);
    chain(&mut rules, "output", "daddr", mute_to);
    rules.push_str("}\n");
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_replace_what_was_there_and_name_each_direction() {
        let text = rules(&[0, 2], &[1]);
        assert!(text.starts_with("table inet faults\ndelete table"), "{text}");
        assert!(text.contains("hook input priority 0;\nip saddr { 10.77.0.1, 10.77.0.3 } drop"));
        assert!(text.contains("hook output priority 0;\nip daddr { 10.77.0.2 } drop"));
        assert!(!rules(&[], &[]).contains("chain"));
    }
}
