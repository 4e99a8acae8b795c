//! Takes the title blocks out of a listener's bytes.

/// Where in the pattern of audio and titles a listener is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icy {
    /// There are no title blocks.
    Without,
    /// So many bytes of audio, then a length byte; the distance between blocks.
    Audio(usize, usize),
    /// So many bytes of a title, then audio.
    Title(usize, usize),
}

impl Icy {
    /// From `icy-metaint`.
    pub fn every(metaint: Option<usize>) -> Icy {
        match metaint {
            Some(metaint) if metaint > 0 => Icy::Audio(metaint, metaint),
            _ => Icy::Without,
        }
    }

    /// Hands the audio in `bytes` to `sink`, piece by piece.
    pub fn strip(&mut self, mut bytes: &[u8], mut sink: impl FnMut(&[u8])) {
        while let Some(first) = bytes.first() {
            match *self {
                Icy::Without => return sink(bytes),
                Icy::Audio(0, metaint) => {
                    *self = Icy::Title(usize::from(*first) * 16, metaint);
                    bytes = &bytes[1..];
                }
                Icy::Audio(left, metaint) => {
                    let take = left.min(bytes.len());
                    sink(&bytes[..take]);
                    *self = Icy::Audio(left - take, metaint);
                    bytes = &bytes[take..];
                }
                Icy::Title(left, metaint) => {
                    let take = left.min(bytes.len());
                    *self = if take == left {
                        Icy::Audio(metaint, metaint)
                    } else {
                        Icy::Title(left - take, metaint)
                    };
                    bytes = &bytes[take..];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_taken_out_at_any_split() {
        let mut wire = b"abcd\x01".to_vec();
        wire.extend_from_slice(&[b'T'; 16]);
        wire.extend_from_slice(b"efgh\x00ij");
        for size in 1..wire.len() {
            let mut icy = Icy::every(Some(4));
            let mut audio = Vec::new();
            wire.chunks(size).for_each(|piece| icy.strip(piece, |bytes| audio.extend_from_slice(bytes)));
            assert_eq!(audio, b"abcdefghij");
        }
    }
}
