//! The topology as text, in the manner of Kafka's `Topology#describe`.

use super::{NodeKind, Topic, Topology};
use std::fmt;

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topic::External(name) => f.write_str(name),
            Topic::Repartition(name) => write!(f, "{name}-repartition"),
        }
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Topologies:\n")?;
        for (i, part) in self.subtopologies.iter().enumerate() {
            writeln!(f, "   Sub-topology: {i}")?;
            for id in &part.nodes {
                let node = self.node(*id);
                match &node.kind {
                    NodeKind::Source(s) => {
                        writeln!(f, "    Source: {} (topics: [{}])", node.name, s.topic)?;
                    }
                    NodeKind::Sink(s) => {
                        writeln!(f, "    Sink: {} (topic: {})", node.name, s.topic)?;
                    }
                    NodeKind::Processor(_) => {
                        let stores: Vec<&str> =
                            node.stores.iter().map(|s| self.stores[*s].name.as_str()).collect();
                        writeln!(
                            f,
                            "    Processor: {} (stores: [{}])",
                            node.name,
                            stores.join(", ")
                        )?;
                    }
                }
                let children: Vec<&str> =
                    node.children.iter().map(|c| self.node(*c).name.as_str()).collect();
                if !children.is_empty() {
                    writeln!(f, "      --> {}", children.join(", "))?;
                }
            }
        }
        Ok(())
    }
}
