//! Ogg Skeleton, a track that describes the other tracks (version 3 and 4).

/// Whether `packet` is the first one of a Skeleton track ("fishead").
pub fn is_head(packet: &[u8]) -> bool {
    packet.starts_with(b"fishead\0")
}
