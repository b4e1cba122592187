//! `kubectl drain` and everything else that evicts pods: a broker goes when the brokers say that it may.
//!
//! The API server asks before it evicts a pod whose name is that of a broker of a Cluster ([`crate::webhook`]); what it
//! asks is read by [`review`]. Whether it may go is decided by [`plan`], a pure
//! function of what is there ([`candidate`]) and what the brokers answer; [`judge`] asks, tells and writes. A refusal
//! is 429 Too Many Requests, which `kubectl drain` tries again after five seconds; meanwhile leaders move off.
//!
//! **Every operator answers**, also one that does not lead: a node that is drained may hold the leader.
//!
//! **What if nobody answers?** Then the eviction is refused (`failurePolicy: Fail`): no answer is a no. That must
//! touch no other pod, so the condition under which the API server asks at all names the Clusters one by one. (An
//! `objectSelector` cannot: it looks at the labels of the Eviction, which has none, and not at those of the pod.) The
//! chart makes an empty configuration; without an operator that has filled it in, evictions are as without it, and the
//! PodDisruptionBudget of each Cluster holds: one broker at a time.
//!
//! **Two evictions at once**: the API server takes them one by one from the budget. **An eviction and a roll at once**:
//! each writes down what it is about to do (a mark on the pod, a changed StatefulSet) and then looks for the other's.

mod candidate;
mod judge;
mod plan;
mod review;

pub(crate) use candidate::going;
pub(crate) use judge::Judge;
