//! The seminar's way to type and to begin.

use super::Talk;
use crate::output::Console;
use levada_codec::compat::Layer;
use levada_talk::compat::CompatCall;
use std::ffi::OsString;

/// What was typed, with the seminar's spelling after `talk` turned into ours: underscores in long options, and the short
/// options that mean something else to every other verb (`-q 128`).
pub fn spelling(typed: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut typed: Vec<OsString> = typed.into_iter().collect();
    let verb = typed.iter().skip(1).position(|word| !word.to_string_lossy().starts_with('-'));
    let Some(verb) = verb.map(|place| place + 1).filter(|place| typed[*place] == "talk") else {
        return typed;
    };
    let pictures = typed.iter().enumerate().any(|(place, word)| {
        let word = word.to_string_lossy();
        let is_value = place > 0 && typed[place - 1] == "--compat";
        let named = word.strip_prefix("--compat=").or(is_value.then_some(&*word));
        matches!(named.map(str::parse), Some(Ok(Layer::MinimalVideo | Layer::MinimalVideoBlocks)))
    });
    for place in verb + 1..typed.len() {
        let next = typed.get(place + 1).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        let word = typed[place].to_string_lossy().into_owned();
        let is_number = next.parse::<f64>().is_ok();
        let ours = match word.as_str() {
            "-q" if is_number => "--minimal-quantization-step-size".into(),
            "-lvp" => "--listening-video-port".into(),
            "-dvp" => "--destination-video-port".into(),
            "-v" if pictures && is_number => "--video-payload-size".into(),
            "-w" if pictures && is_number => "--width".into(),
            "-g" if pictures && is_number => "--height".into(),
            "-z" if pictures && is_number => "--fps".into(),
            _ if word.starts_with("--") => match word.split_once('=') {
                Some((name, value)) => format!("{}={value}", name.replace('_', "-")),
                None => word.replace('_', "-"),
            },
            _ => continue,
        };
        typed[place] = ours.into();
    }
    typed
}

/// Says what the seminar's programs say when they begin.
pub fn opening(console: Console, talk: &Talk, call: &CompatCall) {
    let (config, said) = (call.config(), &talk.seminar);
    let codec = config.codec;
    let rate = f64::from(codec.rate);
    console.say("\nInterCom parameters:\n");
    console.say(format!(
        "layer={}, frames_per_second={rate:.1}, frames_per_chunk={}, listening_port={}, destination_address='{}', \
         destination_port={}, number_of_channels={}, filename={:?}, reading_time={:?}",
        codec.layer,
        codec.frames,
        talk.listen,
        config.peer.ip(),
        config.peer.port(),
        codec.channels,
        talk.input,
        talk.time.map(|time| time.as_secs_f64()).or(said.reading_time),
    ));
    if codec.layer.is_quantized() {
        console.say(format!(
            "minimal_quantization_step_size={}, rate_control_period={}",
            config.q,
            config.control_period.as_secs_f64()
        ));
    }
    if codec.layer.is_wavelet() {
        console.say(format!("wavelet_name={}, levels={}", codec.wavelet, codec.levels));
    }
    if matches!(codec.layer, Layer::MinimalVideo | Layer::MinimalVideoBlocks) {
        said.video.opening(console);
    }
    console.say("\nUsing device:\n");
    console.say(format!("< {}\n> {}", talk.input, talk.output));
    console.say(format!("\nchunk_time = {} seconds", codec.frames as f64 / rate));
    console.say("seconds_per_cycle = 1");
    console.say(format!("chunks_per_cycle = {}", rate / codec.frames as f64));
    console.say(format!("frames_per_cycle = {rate:.1}"));
    if codec.layer.is_numbered() {
        console.say(format!("buffering_time = {} miliseconds", config.buffering.as_millis()));
        console.say(format!("chunks_to_buffer = {}", config.blocks_to_buffer()));
    }
    console.say("Use CTRL+C to quit");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seminars_spelling_is_understood_after_talk_alone() {
        let spelled = |line: &str| -> String {
            let words = spelling(line.split(' ').map(OsString::from));
            words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            spelled("levada talk h -q 64 --show_stats -b 300 --listening_port=4_5"),
            "levada talk h --minimal-quantization-step-size 64 --show-stats -b 300 --listening-port=4_5"
        );
        assert_eq!(
            spelled(
                "levada talk h --compat minimal_video -w 160 -g 120 -z 15 -v 500 -lvp 1 -dvp 2 --camera_index 0"
            ),
            "levada talk h --compat minimal_video --width 160 --height 120 --fps 15 --video-payload-size 500 \
             --listening-video-port 1 --destination-video-port 2 --camera-index 0"
        );
        assert_eq!(spelled("levada talk h --compat dwt -w db3"), "levada talk h --compat dwt -w db3");
        assert_eq!(spelled("levada -q talk h"), "levada -q talk h");
        assert_eq!(spelled("levada push -q 64 --show_stats"), "levada push -q 64 --show_stats");
    }
}
