//! A full-duplex call between two endpoints.
#![forbid(unsafe_code)]
