//! What follows `tc qdisc`: the verb, the device, the place, the kind and its options.

use super::words::{Words, hex, short};
use super::{Kind, Refusal, Tables};
use crate::config::LinkConfig;
use std::fmt;

/// A command line understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What is to be done.
    pub verb: Verb,
    /// To which device; `None` where none is named.
    pub device: Option<String>,
    /// Where on it.
    pub place: Place,
    /// The name of the kind, and what its words say where it is one of ours.
    pub kind: Option<(String, Option<(Kind, LinkConfig)>)>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A new qdisc.
    Add,
    /// Other parameters for one that is there.
    Change,
    /// Either.
    Replace,
    /// Away with it.
    Delete,
    /// A list.
    Show,
}

/// Where on a device: under which parent, under which handle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Above it.
    pub parent: Option<Parent>,
    /// Its own name.
    pub handle: Option<Handle>,
}

/// What a qdisc hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// The device.
    Root,
    /// A class of another qdisc: `1:1`.
    Class(Handle, u16),
}

/// A qdisc's name on its device: `10:`, in base 16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u16);

impl Command {
    /// Understands the words after `tc`, or refuses them as tc does before it has asked the kernel.
    pub fn parse(words: &[&str], tables: &Tables<'_>) -> Result<Command, Refusal> {
        let mut words = Words::new(words);
        let object = words.next().unwrap_or_default();
        if !short(object, "qdisc") {
            return Err(Refusal::new(1, format!("Object \"{object}\" is unknown, try \"tc help\".")));
        }
        let verb = verb(words.next())?;
        let mut command = Command { verb, device: None, place: Place::default(), kind: None };
        while let Some(word) = words.next() {
            match word {
                "dev" => command.device(words.need()?)?,
                "root" => command.root()?,
                "parent" => command.parent(words.need()?)?,
                "handle" => command.handle(&mut words)?,
                _ if verb == Verb::Show => {
                    return Err(Refusal::new(255, format!("What is \"{word}\"? Try \"tc qdisc help\".")));
                }
                kind => {
                    command.kind(kind, words, tables)?;
                    break;
                }
            }
        }
        Ok(command)
    }

    fn device(&mut self, name: &str) -> Result<(), Refusal> {
        if self.device.is_some() {
            return Err(Refusal::new(
                255,
                format!("Error: duplicate \"dev\": \"{name}\" is the second value."),
            ));
        }
        self.device = Some(name.into());
        Ok(())
    }

    fn root(&mut self) -> Result<(), Refusal> {
        if self.place.parent.is_some() {
            return Err(Refusal::new(255, "Error: \"root\" is duplicate parent ID"));
        }
        self.place.parent = Some(Parent::Root);
        Ok(())
    }

    fn parent(&mut self, word: &str) -> Result<(), Refusal> {
        if self.place.parent.is_some() {
            return Err(Refusal::new(
                255,
                format!("Error: duplicate \"parent\": \"{word}\" is the second value."),
            ));
        }
        let wrong = || Refusal::new(255, format!("Error: argument \"{word}\" is wrong: invalid parent ID"));
        self.place.parent = class(word).ok_or_else(wrong)?;
        Ok(())
    }

    fn handle(&mut self, words: &mut Words<'_>) -> Result<(), Refusal> {
        if self.place.handle.is_some() {
            return Err(Refusal::new(255, "Error: duplicate \"handle\": \"handle\" is the second value."));
        }
        let word = words.need()?;
        let (major, rest) = hex(word);
        let major = major.filter(|_| rest.is_empty() || rest.starts_with(':'));
        let wrong = || Refusal::new(255, format!("Error: argument \"{word}\" is wrong: invalid qdisc ID"));
        let major = major.and_then(|major| u16::try_from(major).ok()).ok_or_else(wrong)?;
        // What stands behind the colon does not count, and zero is no name.
        self.place.handle = Some(Handle(major)).filter(|handle| handle.0 != 0);
        Ok(())
    }

    fn kind(&mut self, name: &str, words: Words<'_>, tables: &Tables<'_>) -> Result<(), Refusal> {
        let Some(kind) = Kind::named(name) else {
            self.kind = Some((name.into(), None));
            let mut words = words;
            return match words.next() {
                Some(option) => {
                    let text = format!("Unknown qdisc \"{name}\", hence option \"{option}\" is unparsable");
                    Err(Refusal::new(1, text))
                }
                None => Ok(()),
            };
        };
        // To delete, netem needs no more than its name; tbf insists on its parameters even then.
        self.kind = Some((name.into(), Some((kind, kind.parse(words, tables)?))));
        Ok(())
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:", self.0)
    }
}

impl fmt::Display for Parent {
    /// As in a line of `show`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Parent::Root => f.write_str("root"),
            Parent::Class(handle, 0) => write!(f, "parent {handle}"),
            Parent::Class(handle, minor) => write!(f, "parent {handle}{minor:x}"),
        }
    }
}

fn verb(word: Option<&str>) -> Result<Verb, Refusal> {
    let Some(word) = word else { return Ok(Verb::Show) };
    let known = [
        ("list", Verb::Show),
        ("show", Verb::Show),
        ("lst", Verb::Show),
        ("ls", Verb::Show),
        ("add", Verb::Add),
        ("change", Verb::Change),
        ("replace", Verb::Replace),
        ("delete", Verb::Delete),
    ];
    super::words::meant(word, &known)
        .ok_or_else(|| Refusal::new(255, format!("Command \"{word}\" is unknown, try \"tc qdisc help\".")))
}

/// `root`, `none`, `1:1` or `1:`; `None` inside for no parent.
fn class(word: &str) -> Option<Option<Parent>> {
    match word {
        "root" => return Some(Some(Parent::Root)),
        "none" => return Some(None),
        _ => {}
    }
    let (major, rest) = hex(word);
    let Some(minor) = rest.strip_prefix(':') else {
        // A number alone is a class of no qdisc.
        let minor = major.filter(|_| rest.is_empty()).and_then(|minor| u16::try_from(minor).ok())?;
        return Some(Some(Parent::Class(Handle(0), minor)));
    };
    let (minor, rest) = if minor.is_empty() { (Some(0), "") } else { hex(minor) };
    let minor = minor.filter(|_| rest.is_empty()).and_then(|minor| u16::try_from(minor).ok())?;
    let major = u16::try_from(major.unwrap_or(0)).ok()?;
    Some(Some(Parent::Class(Handle(major), minor)))
}
