//! The core of the operator, driven without a cluster: a model of the world, scenes in it, and random deaths.

mod deaths;
mod scenes;
mod world;
