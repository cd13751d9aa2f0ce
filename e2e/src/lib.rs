//! A real Kubernetes control plane for tests, and what tests of EvalJob need around it.
//!
//! [`suite::run`] is the test harness: it puts the process into namespaces of its own
//! ([`namespaces`]), starts etcd, the API server, the controller manager and the scheduler there
//! ([`control_plane`]), and gives every test a [`Case`] with a Kubernetes namespace of its own.
//! With KUBECONFIG set, the same tests use that cluster and nothing is started.
//!
//! Where a test needs Pods that run, [`node`] adds kubelets, and [`images`] makes what they run.
//!
//! Nothing here simulates Kubernetes: Nodes, Pods and tokens are made through the API, the
//! operator runs with the permissions of its manifest, and no check of the product is switched off.
//! Waits are conditions with deadlines ([`wait`]); no time is asserted.

pub mod agent_pod;
pub mod audit;
pub mod barrier;
pub mod case;
pub mod cgroups;
pub mod chart;
pub mod cluster;
pub mod control_plane;
mod found;
pub mod images;
pub mod installation;
pub mod kubectl;
pub mod metrics;
pub mod name_server;
pub mod namespaces;
pub mod node;
pub mod note;
pub mod pki;
pub mod process;
pub mod processes;
pub mod product;
pub mod product_images;
pub mod programs;
pub mod release;
pub mod suite;
pub mod token;
pub mod traces;
pub mod wait;

pub use case::Case;
pub use cluster::Cluster;
