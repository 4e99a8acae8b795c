//! Everything of a server that answers ordinary requests, asked over real connections.

mod administration;
mod answers;
mod api;
mod bucket;
mod directories;
mod events;
mod files;
mod hls;
mod hooks;
mod kit;
mod metrics;
mod nowplaying;
mod statistics;
mod store;
mod webrtc;
