//! What an operator asks before it touches brokers, and what it has done with them: on the admin port, as JSON.
//!
//! | path | what |
//! |---|---|
//! | `GET /safety/restart?brokers=1,2` | may these stop together now; if not, which partitions say no |
//! | `GET /safety/replicas?brokers=1` | what is still on them, how much of it is not in sync, and what is in sync nowhere else |
//! | `GET /safety/quorum` | how far each controller is |
//! | `POST /safety/drain?brokers=1` | moves their leaderships away |
//! | `POST /safety/evacuate?brokers=1` | plans the next moves off them |
//! | `GET /safety/spread` | which moves would even the brokers out, and how many bytes they copy |
//! | `POST /safety/spread` | plans the next of those moves |
//! | `GET /safety/bandwidth` | what limits the bytes a second that moves take of a broker |
//! | `POST /safety/bandwidth?bytesPerSecond=N` | limits them; without a number, as if no limit had been set |
//! | `POST /safety/resize?topic=t&replicas=3` | plans the next moves towards that many replicas of each partition |
//! | `POST /safety/stop-moves?brokers=1` | stops moves off them |
//! | `POST /safety/unregister?broker=1` | takes a broker without replicas out of the cluster |
//!
//! Only the active controller answers, and only after a majority of the voters has fetched from it since the question came:
//! an answer from before another election would be worth nothing. Any other node says 503 and who it thinks is active.
//! Whoever gets no answer must take it for a no.
//!
//! | file | what |
//! |---|---|
//! | [`http`] | paths, queries, status codes |
//! | [`answers`] | the JSON |
//! | [`questions`], [`actions`] | what is behind each path |
//! | [`bandwidth`] | the limit of what moves take |
//! | [`survey`] | bytes of partitions, traffic and room on disks, from the brokers that have them |

mod actions;
mod answers;
mod bandwidth;
mod http;
mod questions;
mod survey;

pub(crate) use http::router;
