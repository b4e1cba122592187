use std::sync::mpsc;

use protocol::Uuid;
use sim::SimDisk;

use super::*;
use crate::controller::{AllocateProducerIds, ConfigError};
use crate::image::ConfigMap;
use crate::raft::{NoAnswer, Timing};
use crate::record::ConfigResource;

struct Count(u8);
impl Entropy for Count {
    fn bytes(&mut self) -> [u8; 16] {
        self.0 += 1;
        [self.0; 16]
    }
}

#[derive(Debug)]
struct NoConfigs;
impl ConfigSchema for NoConfigs {
    fn check(&self, _: &ConfigResource, _: &str, _: &str) -> Result<(), ConfigError> {
        Ok(())
    }
    fn check_key(&self, _: &ConfigResource, _: &str) -> Result<(), ConfigError> {
        Ok(())
    }
    fn check_all(&self, _: &ConfigResource, _: &ConfigMap) -> Result<(), ConfigError> {
        Ok(())
    }
    fn list_default(&self, _: &ConfigResource, _: &str) -> Option<String> {
        None
    }
}

fn config(node_id: i32, voters: &[i32]) -> NodeConfig {
    NodeConfig {
        node_id,
        directory_id: Uuid([node_id as u8 + 1; 16]),
        cluster_id: "c".into(),
        initial_voters: voters
            .iter()
            .map(|id| Voter { id: *id, directory_id: Uuid::ZERO })
            .collect(),
        is_voter: voters.contains(&node_id),
        timing: Timing::default(),
        controller: ControllerSettings::default(),
        seed: 7,
    }
}

fn disk() -> SimDisk {
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new("/data")).unwrap();
    disk
}

fn open(disk: &SimDisk, config: NodeConfig) -> QuorumNode {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    QuorumNode::open(config, Arc::new(NoConfigs), shared, Path::new("/data/m"), 0).unwrap()
}

fn allocate() -> (Input, mpsc::Receiver<Result<i64, ProposeError>>) {
    let (sender, receiver) = mpsc::channel();
    let proposal = Proposal::new(AllocateProducerIds, move |answer| {
        let first = answer.map(|block| block.unwrap().first);
        let _ = sender.send(first); // not every test waits
    });
    (Input::Propose(proposal), receiver)
}

#[test]
fn who_votes_alone_leads_and_answers_at_once() {
    let disk = disk();
    let mut node = open(&disk, config(0, &[0]));
    let (input, answer) = allocate();
    let outputs = node.handle(0, input, &mut Count(0)).unwrap();
    assert!(matches!(outputs[0], Output::Published(_)), "{outputs:?}");
    assert!(answer.try_recv().is_err(), "answered before the image can be published");
    drop(outputs);
    assert_eq!(answer.recv().unwrap(), Ok(0));
    assert_eq!(node.leader(), Some((0, 1)));
    assert_eq!(node.voters().directory(0), Some(Uuid([1; 16])));

    let mut node = open(&disk, config(0, &[0]));
    assert_eq!(node.image().offset(), 0, "nothing is known to be committed yet");
    node.handle(0, Input::Tick, &mut Count(0)).unwrap();
    assert_eq!((node.leader(), node.image().next_producer_id()), (Some((0, 2)), 1000));
}

/// Commands that come together share a sync; one alone needs one.
#[test]
fn a_batch_costs_one_sync() {
    let disk = disk();
    let mut node = open(&disk, config(0, &[0]));
    node.handle(0, Input::Tick, &mut Count(0)).unwrap();
    let before = disk.calls();
    node.handle(1, allocate().0, &mut Count(0)).unwrap();
    let one = disk.calls() - before;
    let inputs = (0..100).map(|_| allocate().0).collect();
    node.handle_all(2, inputs, &mut Count(0)).unwrap();
    assert_eq!((one, disk.calls() - before), (2, 4), "a write and a sync each");
}

#[test]
fn a_failed_disk_ends_the_node_and_tells_who_waits() {
    let disk = disk();
    let mut node = open(&disk, config(0, &[0]));
    node.handle(0, Input::Tick, &mut Count(0)).unwrap();
    disk.fail_syncs(1);
    let (input, answer) = allocate();
    assert!(node.handle(1, input, &mut Count(0)).is_err());
    assert!(matches!(answer.recv().unwrap(), Err(ProposeError::Log(_))));
}

#[test]
fn a_folder_of_the_version_before_the_quorum_opens_as_epoch_0() {
    let disk = disk();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (mut log, ..) = MetadataLog::open(shared, Path::new("/data/m")).unwrap();
    let record = crate::MetadataRecord::ProducerIds { next_producer_id: 5000 };
    log.append(&[&[record]]).unwrap();
    let mut node = open(&disk, config(0, &[0]));
    node.handle(0, Input::Tick, &mut Count(0)).unwrap();
    assert_eq!((node.leader(), node.image().next_producer_id()), (Some((0, 1)), 5000));
}

/// A network without faults: everything arrives at once.
fn settle(nodes: &mut [QuorumNode], now: u64, todo: Vec<(usize, Input)>) {
    settle_without(nodes, now, todo, None);
}

/// As [`settle`], while one node's process has ended: connections to it are refused.
fn settle_without(
    nodes: &mut [QuorumNode],
    now: u64,
    mut todo: Vec<(usize, Input)>,
    dead: Option<usize>,
) {
    while !todo.is_empty() {
        let (index, input) = todo.remove(0);
        if Some(index) == dead {
            if let Input::Request { from, id, .. } = input {
                let why = NoAnswer::Refused;
                todo.push((from as usize, Input::RequestFailed { to: index as i32, id, why }));
            }
            continue;
        }
        for output in nodes[index].handle(now, input, &mut Count(0)).unwrap() {
            match output {
                Output::Request { to, id, request } => {
                    todo.push((to as usize, Input::Request { from: index as i32, id, request }));
                }
                Output::Response { to, id, response } => {
                    todo.push((to as usize, Input::Response { from: index as i32, id, response }));
                }
                _ => {}
            }
        }
    }
}

fn run_until(nodes: &mut [QuorumNode], now: &mut u64, done: impl Fn(&[QuorumNode]) -> bool) {
    for _ in 0..10_000 {
        if done(nodes) {
            return;
        }
        *now += 10;
        let ticks = (0..nodes.len()).map(|index| (index, Input::Tick)).collect();
        settle(nodes, *now, ticks);
    }
    panic!("nothing came of it: {:?}", nodes.iter().map(QuorumNode::status).collect::<Vec<_>>());
}

fn three() -> (Vec<QuorumNode>, u64, usize) {
    let mut nodes: Vec<QuorumNode> =
        (0..4).map(|id| open(&disk(), config(id, &[0, 1, 2]))).collect();
    let mut now = 0;
    let known = |nodes: &[QuorumNode]| {
        nodes.iter().all(|node| {
            node.image().offset() > 1 && !node.voters().iter().any(|v| v.directory_id.is_zero())
        })
    };
    run_until(&mut nodes, &mut now, known);
    let leader = nodes.iter().position(QuorumNode::is_active).unwrap();
    (nodes, now, leader)
}

#[test]
fn three_voters_elect_a_leader_and_an_observer_follows() {
    let (mut nodes, mut now, leader) = three();
    let (input, answer) = allocate();
    settle(&mut nodes, now, vec![(leader, input)]);
    assert_eq!(answer.recv().unwrap(), Ok(0));
    run_until(&mut nodes, &mut now, |nodes| {
        nodes.iter().all(|n| n.image().next_producer_id() == 1000)
    });
    let status = nodes[leader].status();
    assert_eq!((status.voters.len(), status.observers.len()), (3, 1));
    assert!(status.voters.iter().all(|v| v.log_end_offset == Some(status.high_watermark)));

    let other = (leader + 1) % 3;
    let (input, answer) = allocate();
    settle(&mut nodes, now, vec![(other, input)]);
    assert_eq!(
        answer.recv().unwrap(),
        Err(ProposeError::NotLeader { leader: Some(leader as i32) })
    );
}

#[test]
fn leadership_is_handed_over_without_a_pause() {
    let (mut nodes, now, leader) = three();
    let to = (leader + 1) % 3;
    settle(&mut nodes, now, vec![(leader, Input::Transfer { to: to as i32 })]);
    assert!(nodes[to].is_active());
    settle(&mut nodes, now, vec![(to, Input::Resign)]);
    assert_eq!(nodes.iter().filter(|node| node.is_active()).count(), 1);
    assert!(!nodes[to].is_active());
}

#[test]
fn a_leader_whose_process_has_ended_is_not_waited_for() {
    let (mut nodes, mut now, dead) = three();
    // The last that it says are the answers to the fetches that wait; the next fetches find nobody.
    let timing = Timing::default();
    now += timing.fetch_max_wait_ms;
    let last = nodes[dead].handle(now, Input::Tick, &mut Count(0)).unwrap();
    let answers: Vec<(usize, Input)> = last
        .into_iter()
        .filter_map(|output| match output {
            Output::Response { to, id, response } => {
                Some((to as usize, Input::Response { from: dead as i32, id, response }))
            }
            _ => None,
        })
        .collect();
    assert_eq!(answers.len(), 3);
    settle_without(&mut nodes, now, answers, Some(dead));
    let ended = now;
    while !nodes[(dead + 1) % 3].is_active() && !nodes[(dead + 2) % 3].is_active() {
        now += 10;
        assert!(now < ended + timing.fetch_timeout_ms, "waited for the fetch timeout");
        let ticks = (0..nodes.len()).map(|index| (index, Input::Tick)).collect();
        settle_without(&mut nodes, now, ticks, Some(dead));
    }
    assert!(now - ended <= timing.election_timeout_ms / 2, "it took {} ms", now - ended);
}

#[test]
fn another_cluster_is_refused() {
    let (mut nodes, now, _) = three();
    let request = crate::raft::Request {
        cluster_id: "other".into(),
        from: Voter { id: 9, directory_id: Uuid([9; 16]) },
        to_directory: Uuid::ZERO,
        epoch: 99,
        call: crate::raft::Call::BeginEpoch,
    };
    let outputs =
        nodes[0].handle(now, Input::Request { from: 9, id: 1, request }, &mut Count(0)).unwrap();
    let refused = Answer::Refused(crate::raft::Refusal::OtherCluster);
    assert!(
        matches!(&outputs[..], [Output::Response { response, .. }] if response.answer == refused),
        "{outputs:?}"
    );
    assert!(nodes[0].epoch() < 99);
}
