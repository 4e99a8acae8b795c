//! Captures and filters, which come from files and from people.

use crate::pieces::Pieces;
use levada_capture::path::{Level, Path};
use levada_capture::pcapng::{About, Writer};
use levada_capture::trace::Trace;
use levada_capture::{Filter, Headers, Interface, Item, LinkType, Packet, Reader};

/// The same items at any split, no bytes invented, and what is written of them is read again as the same.
pub fn capture(bytes: &[u8]) {
    let Some((first, file)) = bytes.split_first() else { return };
    let whole = read(std::iter::once(file));
    assert_eq!(whole, read(Pieces::new(*first, file)), "the same at any split");
    let kept: usize = whole.packets.iter().map(|packet| packet.bytes.len()).sum();
    assert!(kept <= file.len(), "{kept} bytes of packets in {}", file.len());
    let mut writer = Writer::new(Vec::new(), &About::default()).expect("a vector takes everything");
    for interface in &whole.interfaces {
        let whole = Interface { snaplen: 0, ..interface.clone() };
        writer.interface(&whole).expect("a vector takes everything");
    }
    for packet in &whole.packets {
        writer.packet(packet).expect("its interface is described");
    }
    let again = read(std::iter::once(&writer.into_inner()[..]));
    assert!(again.error.is_none(), "{:?}", again.error);
    let known = |read: &Read| -> Vec<_> {
        read.packets.iter().map(|p| (p.interface, p.bytes.clone(), p.id, p.direction, p.verdict)).collect()
    };
    assert_eq!(known(&whole), known(&again));
    let mut traces = [Trace::default(), Trace::default()];
    for packet in &whole.packets {
        if let Some(interface) = whole.interfaces.get(packet.interface.0 as usize) {
            traces[(packet.interface.0 & 1) as usize].push(interface, packet);
        }
    }
    for level in [Level::Packets, Level::Data, Level::Chunks, Level::Messages] {
        let path = Path::between(&traces[0], Some(&traces[1]), level);
        assert!(path.pairs.len() <= path.sent.len().min(path.arrived.len()) + path.arrived.len());
        let _figures = path.summary();
    }
}

#[derive(Debug, Default, PartialEq)]
struct Read {
    interfaces: Vec<Interface>,
    packets: Vec<Packet<'static>>,
    notes: usize,
    error: Option<levada_capture::Error>,
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Read {
    let (mut reader, mut read) = (Reader::new(), Read::default());
    'pieces: for piece in pieces {
        reader.push(piece);
        loop {
            match reader.poll() {
                Ok(Some(Item::Packet(packet))) => {
                    let bytes = packet.bytes.into_owned().into();
                    let comment = packet.comment.map(|comment| comment.into_owned().into());
                    read.packets.push(Packet { bytes, comment, ..packet });
                }
                Ok(Some(Item::Note(_))) => read.notes += 1,
                Ok(Some(Item::Interface(_))) => {}
                Ok(None) => break,
                Err(error) => {
                    read.error = Some(error);
                    break 'pieces;
                }
            }
        }
    }
    read.interfaces = reader.interfaces().to_vec();
    read
}

/// What is understood is understood again as it was typed, and judges any packet; what is not is told with a column in it.
pub fn filter_words(bytes: &[u8]) {
    let cut = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (words, frame) = bytes.split_at(cut);
    let Ok(words) = std::str::from_utf8(words) else { return };
    match words.parse::<Filter>() {
        Ok(filter) => {
            assert_eq!(filter.to_string().parse(), Ok(filter.clone()));
            for link in
                [LinkType::ETHERNET, LinkType::RAW, LinkType::LINUX_SLL, LinkType::LINUX_SLL2, LinkType::NULL]
            {
                let headers = Headers::of(link, frame);
                assert!(headers.payload.len() <= frame.len());
                let _meant = filter.matches(&headers, frame.len() as u32);
            }
        }
        Err(error) => assert!((1..=words.chars().count() + 1).contains(&error.column), "{error}"),
    }
}
