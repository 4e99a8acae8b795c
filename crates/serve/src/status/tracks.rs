//! What Icecast says of the tracks inside an Ogg stream.

use super::Values;
use levada_media::{
    Codec, Format, TrackInfo,
    codec::{theora, vorbis},
};

/// Adds what the headers of an Ogg stream's tracks say. Icecast looks into Ogg only, and so does this: readers know
/// the names, and a new one would be no help to them.
pub(super) fn describe(values: &mut Values, format: Format, tracks: &[TrackInfo]) {
    if format != Format::Ogg {
        return;
    }
    let subtype = subtype(format, tracks);
    if !subtype.is_empty() {
        values.insert("subtype", subtype);
    }
    for track in tracks {
        match track.codec {
            Codec::Vorbis => describe_vorbis(values, &track.setup),
            Codec::Theora => describe_theora(values, &track.setup),
            _ => {}
        }
    }
}

/// The codecs inside an Ogg stream, as Icecast names them: the one that began last comes first.
pub fn subtype(format: Format, tracks: &[TrackInfo]) -> String {
    let names = tracks.iter().rev().map(|track| name(track.codec)).filter(|name| !name.is_empty());
    if format == Format::Ogg { names.collect::<Vec<_>>().join("/") } else { String::new() }
}

fn describe_vorbis(values: &mut Values, setup: &[u8]) {
    let Some((ident, packet)) = first(setup).and_then(|p| Some((vorbis::Ident::parse(p)?, p))) else {
        return;
    };
    values.insert("audio_channels", ident.channels.to_string());
    values.insert("audio_samplerate", ident.rate.to_string());
    // The nominal bit rate, Vorbis I §4.2.2.
    let nominal = packet.get(20..24).and_then(|field| field.try_into().ok()).map_or(0, i32::from_le_bytes);
    if nominal > 0 {
        values.insert("audio_bitrate", nominal.to_string());
        values.insert("ice-bitrate", (nominal / 1000).to_string());
    }
}

fn describe_theora(values: &mut Values, setup: &[u8]) {
    let Some((ident, packet)) = first(setup).and_then(|p| Some((theora::Ident::parse(p)?, p))) else {
        return;
    };
    values.insert("frame_size", format!("{} x {}", ident.width, ident.height));
    let rate = f64::from(ident.timebase.den) / f64::from(ident.timebase.num.max(1));
    values.insert("frame_rate", format!("{rate:.2}"));
    // Bit rate and quality, Theora §6.2: 24 bits from byte 37, the six bits behind them.
    if let Some([a, b, c, d]) = packet.get(37..41).and_then(|field| <[u8; 4]>::try_from(field).ok()) {
        values.insert("video_bitrate", u32::from_be_bytes([0, a, b, c]).to_string());
        values.insert("video_quality", (d >> 2).to_string());
    }
}

fn name(codec: Codec) -> &'static str {
    match codec {
        Codec::Vorbis => "Vorbis",
        Codec::Theora => "Theora",
        Codec::Opus => "Opus",
        Codec::Flac => "FLAC",
        Codec::Speex => "Speex",
        Codec::Data => "Skeleton",
        _ => "",
    }
}

/// The first packet of a setup in Xiph lacing.
fn first(setup: &[u8]) -> Option<&[u8]> {
    let (_, mut rest) = setup.split_first()?;
    let mut length = 0;
    let mut lacing = rest;
    while let Some((&byte, behind)) = lacing.split_first() {
        length += usize::from(byte);
        lacing = behind;
        if byte < 255 {
            break;
        }
    }
    // The lacing of every packet but the last stands in front of the first.
    let others = usize::from(*setup.first()?).checked_sub(1)?;
    rest = lacing;
    for _ in 0..others {
        let end = rest.iter().position(|byte| *byte < 255)?;
        rest = rest.get(end + 1..)?;
    }
    rest.get(..length)
}
