//! A browser is in the room, of which only the server's side is here.

use crate::house::{House, config};
use levada_link::room::wire::BROWSER;
use levada_link::room::{DisplayName, Entrant};
use levada_talk::room::Told;

#[test]
fn all_speak_opus_while_a_browser_is_there_and_as_before_when_it_has_left() {
    let mut house = House::of(2, "delay=5ms", config);
    house.run(2.0);
    let spoken = |house: &House| house.member(1).stats().capture;
    let before = spoken(&house);
    let now = house.world.instant();
    let join =
        house.server().hub.join(now, &config(1).room, DisplayName::of("web"), BROWSER, Entrant::Handle(1));
    let pass = join.unwrap().pass;
    house.run(5.0);
    assert!((spoken(&house) - 0.0225).abs() < 1e-9, "{}", spoken(&house));
    house.all_hear(&[1, 2]);
    assert!(house.member(1).is_sealed());
    let now = house.world.instant();
    house.server().hub.leave(now, pass);
    house.run(8.0);
    assert_eq!(spoken(&house), before);
    house.all_hear(&[1, 2]);
    let modes: Vec<bool> = house.told[1]
        .iter()
        .filter_map(|told| match told {
            Told::Mode(mode) => Some(mode.opus),
            _ => None,
        })
        .collect();
    assert_eq!(modes, [true, false]);
}
