//! The captures of a report, read as far as they go, and on as they grow.

use super::{Fidelity, Subject};
use levada_capture::path::Level;
use levada_capture::trace::Trace;
use levada_capture::{Filter, Item, Reader};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

/// One or two captures, and what was read of them.
///
/// Of one file with several interfaces, the two sides are those called so, else those whose names begin with `server` and
/// `client`, else the first two. What cannot be read on is said in [`Captures::problems`], and what was read is kept.
#[derive(Debug)]
pub struct Captures {
    files: Vec<Growing>,
    traces: [Trace; 2],
    names: [String; 2],
    wanted: [Option<String>; 2],
    has_client: bool,
    notes: Vec<(Duration, String)>,
    speed: Option<u64>,
}

/// Which captures, and what of them.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The capture of the first side, or of both.
    pub server: PathBuf,
    /// That of the second.
    pub client: Option<PathBuf>,
    /// Which packets.
    pub filter: Option<Filter>,
    /// The names of the two interfaces.
    pub interfaces: [Option<String>; 2],
}

#[derive(Debug)]
struct Growing {
    path: PathBuf,
    file: File,
    reader: Reader,
    /// To which side each interface belongs.
    sides: Vec<Option<usize>>,
    broken: Option<String>,
}

impl Captures {
    /// Opens the files; nothing is read yet.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(choice: &Choice) -> io::Result<Captures> {
        let mut files = Vec::new();
        for path in [Some(&choice.server), choice.client.as_ref()].into_iter().flatten() {
            files.push(Growing {
                path: path.clone(),
                file: File::open(path)?,
                reader: Reader::new(),
                sides: Vec::new(),
                broken: None,
            });
        }
        let trace = || Trace::new(choice.filter.clone());
        Ok(Captures {
            has_client: files.len() == 2,
            files,
            traces: [trace(), trace()],
            names: ["server".into(), "client".into()],
            wanted: choice.interfaces.clone(),
            notes: Vec::new(),
            speed: None,
        })
    }

    /// Reads what has been written since: how many packets that was, whether let in or not.
    ///
    /// # Errors
    /// Those of the file system; damage is no error here.
    pub fn read(&mut self) -> io::Result<u64> {
        let before: u64 = self.traces.iter().map(Trace::offered).sum();
        let mut piece = vec![0; PIECE];
        for number in 0..self.files.len() {
            loop {
                if self.files[number].broken.is_some() {
                    break;
                }
                let length = self.files[number].file.read(&mut piece)?;
                if length == 0 {
                    break;
                }
                self.files[number].reader.push(&piece[..length]);
                self.take(number);
            }
        }
        Ok(self.traces.iter().map(Trace::offered).sum::<u64>() - before)
    }

    /// What is wrong with the files so far: damage, or an end in the midst of a packet.
    pub fn problems(&self) -> Vec<String> {
        let of = |file: &Growing| {
            let name = file.path.display();
            match (&file.broken, file.reader.left()) {
                (Some(error), _) => Some(format!("{name}: {error}; what comes before is shown")),
                (None, 0) if file.reader.offset() == 0 => Some(format!("{name} is empty")),
                (None, 0) => None,
                (None, _) if file.reader.offset() == 0 => {
                    Some(format!("{name} is cut off in its first line"))
                }
                (None, left) => {
                    Some(format!("{name} ends in the midst of a packet, {left} bytes of which are there"))
                }
            }
        };
        self.files.iter().filter_map(of).collect()
    }

    /// Whether a file is no capture at all, or damaged at its very beginning.
    pub fn is_hopeless(&self) -> bool {
        self.files.iter().any(|file| file.broken.is_some() && file.reader.offset() == 0)
    }

    /// The records of the two sides; the second is empty where there is only one.
    pub fn traces(&self) -> &[Trace; 2] {
        &self.traces
    }

    /// What to make a report of.
    pub fn subject(&self, title: String, level: Level, fidelity: Option<Fidelity>) -> Subject<'_> {
        let mut about = Vec::new();
        for (side, file) in self.files.iter().enumerate() {
            let name = if self.files.len() == 2 { self.names[side].as_str() } else { "capture" };
            about.push((name.to_string(), file.path.display().to_string()));
        }
        about.extend(self.problems().into_iter().map(|problem| ("problem".to_string(), problem)));
        Subject {
            title,
            server: &self.traces[0],
            client: self.has_client.then_some(&self.traces[1]),
            names: self.names.clone(),
            notes: &self.notes,
            speed: self.speed,
            level,
            about,
            fidelity,
        }
    }

    fn take(&mut self, number: usize) {
        let alone = self.files.len() == 1;
        let Growing { reader, sides, broken, .. } = &mut self.files[number];
        loop {
            // A packet holds on to the reader, so what its interface is must be known before.
            let described = reader.interfaces().len();
            if sides.len() < described {
                for index in sides.len()..described {
                    let name = &reader.interfaces()[index].name;
                    let side = side(&self.wanted, name, index, number, alone);
                    sides.push(side);
                    if let Some(side) = side {
                        self.speed = self.speed.or(reader.interfaces()[index].speed);
                        if alone && !name.is_empty() {
                            self.names[side].clone_from(name);
                        }
                        self.has_client |= side == 1;
                    }
                }
            }
            let interfaces: Vec<_> = reader.interfaces().to_vec();
            match take_packets(reader, &interfaces, sides, &mut self.traces, &mut self.notes) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    *broken = Some(error.to_string());
                    return;
                }
            }
        }
    }
}

/// Takes packets and notes until there are no more, or another interface was described: then `true`.
fn take_packets(
    reader: &mut Reader,
    interfaces: &[levada_capture::Interface],
    sides: &[Option<usize>],
    traces: &mut [Trace; 2],
    notes: &mut Vec<(Duration, String)>,
) -> Result<bool, levada_capture::Error> {
    while let Some(item) = reader.poll()? {
        match item {
            Item::Interface(_) => return Ok(true),
            Item::Note(note) => {
                if notes.len() < MOST_NOTES
                    && !notes.iter().any(|(at, text)| *at == note.at && *text == note.text)
                {
                    notes.push((note.at, note.text.into_owned()));
                }
            }
            Item::Packet(packet) => {
                let index = packet.interface.0 as usize;
                let Some(interface) = interfaces.get(index) else { continue };
                if let Some(side) = sides.get(index).copied().flatten() {
                    traces[side].push(interface, &packet);
                }
            }
        }
    }
    Ok(false)
}

/// To which side an interface belongs.
fn side(wanted: &[Option<String>; 2], name: &str, index: usize, file: usize, alone: bool) -> Option<usize> {
    if !alone {
        return wanted[file].as_ref().is_none_or(|wanted| wanted == name).then_some(file);
    }
    if wanted.iter().any(Option::is_some) {
        return wanted.iter().position(|wanted| wanted.as_deref() == Some(name));
    }
    match name {
        _ if name.starts_with("server") => Some(0),
        _ if name.starts_with("client") => Some(1),
        "" => (index < 2).then_some(index),
        // of a lab, what lies between
        _ if name.contains("-eth") => None,
        _ => (index < 2).then_some(index),
    }
}

const PIECE: usize = 1 << 20;
const MOST_NOTES: usize = 10_000;
