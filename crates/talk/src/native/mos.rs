//! What people would say of a call.

/// The mean opinion score, 1 to 4.5, of a conversation with so many seconds from mouth to ear and such a share of frames made up: ITU-T
/// G.107's E-model in the short form of Cole and Rosenbluth ("Voice over IP performance monitoring", 2001), with a codec that is heard as
/// little as G.711 with concealment (Bpl 25.1).
///
/// ```
/// use levada_talk::native::opinion;
/// assert!(opinion(0.02, 0.0) > 4.3 && opinion(0.4, 0.0) < 4.0 && opinion(0.02, 0.2) < 3.0);
/// ```
pub fn opinion(delay: f64, unheard: f64) -> f64 {
    let ms = delay * 1_000.0;
    let impatience = 0.024 * ms + 0.11 * (ms - 177.3).max(0.0);
    let percent = unheard * 100.0;
    let losses = 95.0 * percent / (percent + 25.1);
    let r = (93.2 - impatience - losses).clamp(0.0, 100.0);
    1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6
}
