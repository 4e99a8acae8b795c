//! What is written is read again, and nothing else is.

use super::*;

fn roster(names: &[&str]) -> Roster {
    let one = |(n, name): (usize, &&str)| Participant {
        number: n as u8 + 1,
        stay: 7_000_000 + n as u32,
        flags: n as u8 & 3,
        name: DisplayName::of(name),
    };
    let participants = names.iter().enumerate().map(one).collect();
    Roster { version: 9, mode: Mode { opus: true, open: false }, you: 2, participants }
}

#[test]
fn what_members_say_comes_back_with_and_without_a_pass() {
    let frame = [7; 40];
    let all =
        [Said::Control { to: 3, body: b"sealed" }, Said::Frame(&frame), Said::Known(u32::MAX), Said::Leave];
    for said in all {
        assert_eq!(Said::read(&said.write()), Some(said));
        let datagram = said.datagram(0x0102_0304_0506_0708);
        assert_eq!(Said::read_datagram(&datagram), Some((0x0102_0304_0506_0708, Some(said))));
    }
    assert_eq!(Said::read(&[17, 1, 0, 0, 0, 1]), None, "a frame of nothing");
    assert_eq!(Said::read(&[16, 3]), None, "a body of nothing");
    assert_eq!(Said::read(&[&[16, 3][..], &[0; BODY + 1]].concat()), None);
    assert_eq!(Said::read_datagram(&[17, 0, 0, 0, 0, 0, 0, 0, 9]), Some((9, None)));
}

#[test]
fn what_the_server_says_comes_back_and_stumps_do_not() {
    let all = [
        Heard::Bring { nonce: 5, cookie: [9; COOKIE] },
        Heard::Welcome { nonce: 5, pass: u64::MAX },
        Heard::Refused { nonce: 5, why: Refusal::Full },
        Heard::Control { from: 16, body: b"sealed" },
        Heard::Frame { from: 1, frame: &[7; 40] },
        Heard::Roster(roster(&["Ana", "", "Øyvind"])),
        Heard::Still(3),
        Heard::Gone(8),
    ];
    for heard in all {
        let message = heard.write();
        assert_eq!(Heard::read(&message).as_ref(), Some(&heard));
        let opaque = matches!(heard, Heard::Control { .. } | Heard::Frame { .. });
        (0..message.len()).for_each(|end| {
            assert!(opaque || Heard::read(&message[..end]).is_none(), "{heard:?} {end}");
        });
    }
    assert_eq!(Heard::read(&[17, 17, 1, 0, 0, 0, 0, 0]), None, "nobody has this number");
    Refusal::ALL.iter().for_each(|why| assert_eq!(Refusal::of(why.code()), Some(*why)));
}

#[test]
fn a_join_is_longer_than_any_answer() {
    let join = Join {
        version: VERSION,
        nonce: 1,
        cookie: [2; COOKIE],
        pass: 3,
        flags: BROWSER,
        room: "r".repeat(64).parse().ok(),
        name: DisplayName::of(&"n".repeat(99)),
    };
    let datagram = join.write();
    assert_eq!((datagram.len(), Join::read(&datagram)), (JOIN, Some(join)));
    assert_eq!(Join::read(&datagram[..JOIN - 1]), None);
    let longest = "n".repeat(48);
    let full = Heard::Roster(roster(&[&longest[..]; 16])).write();
    assert!(full.len() <= JOIN, "{}", full.len());
}
