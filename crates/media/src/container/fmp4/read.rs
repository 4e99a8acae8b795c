//! Reads boxes (ISO 14496-12 4.2), and fields in them.

/// Fields of a box from its front; what is not there is `None`.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*taken))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*taken))
    }

    /// A number that is as long as the box's version says.
    pub(super) fn sized(&mut self, version: u8) -> Option<u64> {
        if version == 0 { self.u32().map(u64::from) } else { self.u64() }
    }

    /// Version and flags, with which many boxes begin.
    pub(super) fn full(&mut self) -> Option<(u8, u32)> {
        let word = self.u32()?;
        Some(((word >> 24) as u8, word & 0xff_ffff))
    }

    /// What is before the next zero.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Some(text)
    }
}

/// Name and inside of a box; `size` bytes are the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) name: [u8; 4],
    /// Bytes before what is inside.
    pub(super) before: usize,
    /// Of the whole box.
    pub(super) size: u64,
}

/// The head of the box that `bytes` begin with: `Ok(None)` while it is not whole, `Err` when that can be no box, or one
/// without an end.
pub(super) fn head(bytes: &[u8]) -> Result<Option<Head>, ()> {
    let mut fields = Fields(bytes);
    let (Some(size), Some(name)) = (fields.u32(), fields.take(4)) else { return Ok(None) };
    let name = [name[0], name[1], name[2], name[3]];
    let (before, size) = match size {
        1 => match fields.u64() {
            Some(size) => (16, size),
            None => return Ok(None),
        },
        size => (8, u64::from(size)),
    };
    let named = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b" .-_".contains(byte));
    if size < before as u64 || !named {
        return Err(());
    }
    Ok(Some(Head { name, before, size }))
}

/// The boxes inside of one, up to the first that is not whole.
pub(super) fn boxes(mut inside: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let head = head(inside).ok()??;
        let whole = inside.get(..usize::try_from(head.size).ok()?)?;
        inside = &inside[whole.len()..];
        Some((head.name, &whole[head.before..]))
    })
}

/// The first box called `name` down the path of names.
pub(super) fn find<'a>(inside: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(inside, |inside, name| {
        boxes(inside).find_map(|(known, inside)| (known == **name).then_some(inside))
    })
}
