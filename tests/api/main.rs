//! What the service promises, over real sockets: one module per behaviour.
mod sandbox;
