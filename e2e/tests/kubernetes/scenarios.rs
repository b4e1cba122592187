//! What may befall a cluster under load. The short ones run always; with the feature `kubernetes-long`
//! (`cargo xtask kubernetes --set long`) all of them do, and take their full time.

mod api_server_away;
#[cfg(feature = "kubernetes-long")]
mod bad_spec;
mod change_of_mind;
#[cfg(feature = "kubernetes-long")]
mod lost_volume;
#[cfg(feature = "kubernetes-long")]
mod node_off;
mod operator_killed;
#[cfg(feature = "kubernetes-long")]
mod pods_killed;
#[cfg(feature = "kubernetes-long")]
mod rebalance;
#[cfg(feature = "kubernetes-long")]
mod zone_roll;
