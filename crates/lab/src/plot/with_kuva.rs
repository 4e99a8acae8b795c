//! A sheet of kuva's primitives, which it makes SVG and PNG of.

use super::{Anchor, Ink, Point, Style, Surface};
use kuva::backend::png::PngBackend;
use kuva::backend::svg::SvgBackend;
use kuva::render::render::{PathData, Primitive, Scene, TextAnchor, build_path};

/// A picture.
#[derive(Debug)]
pub struct Sheet {
    scene: Scene,
}

impl Sheet {
    /// An empty one.
    pub fn new(width: f64, height: f64) -> Sheet {
        let mut scene = Scene::new(width, height).with_background(Some(Ink::Paper.colors()[0]));
        scene.font_family = Some(FONTS.into());
        scene.text_color = Some(Ink::Text.colors()[0].into());
        Sheet { scene }
    }

    /// As SVG, on white.
    pub fn svg(&self) -> String {
        let svg = SvgBackend::new().render_scene(&self.scene);
        // so that it can be scaled
        let size = format!("width=\"{}\" height=\"{}\"", self.scene.width, self.scene.height);
        let view = format!("{size} viewBox=\"0 0 {} {}\"", self.scene.width, self.scene.height);
        svg.replacen(&size, &view, 1)
    }

    /// As PNG, on white, with so many pixels a point.
    ///
    /// # Errors
    /// What kuva says.
    pub fn png(&self, scale: f32) -> Result<Vec<u8>, String> {
        PngBackend::new().with_scale(scale).render_scene(&self.scene)
    }
}

impl Surface for Sheet {
    fn line(&mut self, from: Point, to: Point, style: Style) {
        self.scene.add(Primitive::Line {
            x1: from.0,
            y1: from.1,
            x2: to.0,
            y2: to.1,
            stroke: style.ink.colors()[0].into(),
            stroke_width: style.width,
            stroke_dasharray: dashes(style),
        });
    }

    fn polyline(&mut self, points: &[Point], style: Style) {
        self.scene.add(Primitive::PolyLine {
            points: points.to_vec(),
            stroke: style.ink.colors()[0].into(),
            stroke_width: style.width,
            stroke_dasharray: dashes(style),
        });
    }

    fn area(&mut self, points: &[Point], ink: Ink, opacity: f64) {
        self.scene.add(Primitive::Path(Box::new(PathData {
            d: build_path(points) + "Z",
            fill: Some(ink.colors()[0].into()),
            stroke: "none".into(),
            stroke_width: 0.0,
            opacity: Some(opacity),
            stroke_dasharray: None,
        })));
    }

    fn dots(&mut self, points: &[Point], radius: f64, ink: Ink, opacity: f64) {
        self.scene.add(Primitive::CircleBatch {
            cx: points.iter().map(|point| point.0).collect(),
            cy: points.iter().map(|point| point.1).collect(),
            r: radius,
            fill: ink.colors()[0].into(),
            fill_opacity: Some(opacity),
            stroke: None,
            stroke_width: None,
        });
    }

    fn rect(&mut self, at: Point, size: Point, ink: Ink, opacity: f64) {
        self.scene.add(Primitive::Rect {
            x: at.0,
            y: at.1,
            width: size.0,
            height: size.1,
            fill: ink.colors()[0].into(),
            stroke: None,
            stroke_width: None,
            opacity: Some(opacity),
        });
    }

    fn text(&mut self, at: Point, text: &str, ink: Ink, size: u32, anchor: Anchor, turned: bool) {
        self.scene.add(Primitive::Text {
            x: at.0,
            y: at.1,
            // it would be taken for mathematics
            content: text.replace('$', "\u{ff04}"),
            size,
            anchor: match anchor {
                Anchor::Start => TextAnchor::Start,
                Anchor::Middle => TextAnchor::Middle,
                Anchor::End => TextAnchor::End,
            },
            rotate: turned.then_some(-90.0),
            bold: false,
            color: Some(ink.colors()[0].into()),
        });
    }

    fn begin(&mut self, class: &str, attributes: &str, title: Option<&str>) {
        self.scene.add(Primitive::GroupStart {
            transform: None,
            title: title.map(str::to_string),
            extra_attrs: Some(format!("class=\"{class}\" {attributes}")),
        });
        // kuva would add a style sheet for these
        self.scene.has_tooltips = false;
    }

    fn end(&mut self) {
        self.scene.add(Primitive::GroupEnd);
    }
}

fn dashes(style: Style) -> Option<String> {
    (!style.dashes.is_empty()).then(|| style.dashes.to_string())
}

const FONTS: &str = "Inter, Helvetica, Arial, DejaVu Sans, sans-serif";
