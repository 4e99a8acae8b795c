//! Leaves out of a million points those that nobody could tell from their neighbours.

use super::Point;
use std::collections::HashSet;

/// A line over `columns`: of each column the first, lowest, highest and last of its points stay.
pub(super) fn line(points: &[Point], columns: f64, from: f64) -> Vec<Point> {
    if points.len() as f64 <= 2.0 * columns {
        return points.to_vec();
    }
    let mut kept: Vec<Point> = Vec::new();
    let mut column: Option<(i64, [Point; 4])> = None;
    let put = |kept: &mut Vec<Point>, [first, low, high, last]: [Point; 4]| {
        let mut four = vec![first];
        // in the order in which they came, as far as two can tell
        if low.0 <= high.0 {
            four.extend([low, high])
        } else {
            four.extend([high, low])
        }
        four.push(last);
        four.dedup();
        kept.extend(four);
    };
    for point in points {
        let here = (point.0 - from).floor() as i64;
        match &mut column {
            Some((there, [_, low, high, last])) if *there == here => {
                if point.1 < low.1 {
                    *low = *point;
                }
                if point.1 > high.1 {
                    *high = *point;
                }
                *last = *point;
            }
            _ => {
                if let Some((_, four)) = column.take() {
                    put(&mut kept, four);
                }
                column = Some((here, [*point; 4]));
            }
        }
    }
    if let Some((_, four)) = column {
        put(&mut kept, four);
    }
    kept
}

/// Dots of which each covers a cell of its own; cells grow until there are few enough.
pub(super) fn dots(points: &[Point], radius: f64) -> Vec<Point> {
    let mut cell = radius.max(0.5);
    let mut kept = by_cell(points, cell);
    while kept.len() > MOST_DOTS {
        cell *= 1.5;
        kept = by_cell(&kept, cell);
    }
    kept
}

fn by_cell(points: &[Point], cell: f64) -> Vec<Point> {
    let mut taken = HashSet::new();
    let mut last = None;
    let free = |point: &&Point| {
        let key = ((point.0 / cell) as i32, (point.1 / cell) as i32);
        last.replace(key) != Some(key) && taken.insert(key)
    };
    points.iter().filter(free).copied().collect()
}

/// Places of strokes, no two closer than half a point.
pub(super) fn places(places: &[f64]) -> Vec<f64> {
    let mut taken = HashSet::new();
    places.iter().filter(|place| taken.insert((**place * 2.0) as i32)).copied().collect()
}

const MOST_DOTS: usize = 5000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_line_keeps_every_peak() {
        let points: Vec<Point> = (0..100_000)
            .map(|n| (f64::from(n) / 200.0, if n == 77_777 { 9.0 } else { f64::from(n % 3) }))
            .collect();
        let thin = line(&points, 500.0, 0.0);
        assert!(thin.len() <= 2000 && thin.contains(&(77_777.0 / 200.0, 9.0)));
        assert_eq!((thin.first(), thin.last()), (points.first(), points.last()));
    }

    #[test]
    fn dots_are_few_and_everywhere() {
        let points: Vec<Point> = (0..500_000).map(|n| (f64::from(n % 800), f64::from(n % 199))).collect();
        let thin = dots(&points, 1.2);
        assert!(thin.len() <= MOST_DOTS && thin.len() > 1000);
    }
}
