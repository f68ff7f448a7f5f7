//! Draws line charts as SVG: throughput against batch size.
//!
//! Uses only shapes and text, so that every browser shows it; hovering over a point shows its
//! value.

use std::fmt::Write;

/// One line of the chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name of the line in the legend.
    pub name: String,
    /// Points from left to right; finite and not negative.
    pub points: Vec<(f64, f64)>,
}

/// The texts of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels<'a> {
    /// Title above the chart.
    pub title: &'a str,
    /// Label of the horizontal axis.
    pub x: &'a str,
    /// Label of the vertical axis.
    pub y: &'a str,
}

/// Width and height of the chart, in pixels.
const SIZE: (f64, f64) = (720.0, 440.0);
/// Margins to the left of, above, to the right of and below the axes, in pixels.
const MARGINS: [f64; 4] = [72.0, 48.0, 24.0, 56.0];
/// Colours that are distinct with any kind of colour vision (Okabe and Ito, Color Universal
/// Design, 2008), from dark to light.
const COLOURS: [&str; 4] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"];
/// Dash patterns, which distinguish lines in print.
const DASHES: [&str; 4] = ["none", "9 4", "3 3", "12 3 3 3"];
/// Approximate number of ticks on the vertical axis.
const TICKS: f64 = 6.0;

/// Returns the chart, with a tick on the horizontal axis at each of `x_marks`.
pub fn svg(labels: &Labels, x_marks: &[f64], series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| &series.points);
    let step = round_step(points().map(|point| point.1).fold(0.0, f64::max) / TICKS);
    let most = points().map(|point| point.1).fold(step, f64::max);
    let top = (most / step).ceil() * step;
    let right = x_marks.iter().copied().chain(points().map(|point| point.0)).fold(1.0, f64::max);
    let [left, above, beyond, below] = MARGINS;
    let (width, height) = (SIZE.0 - left - beyond, SIZE.1 - above - below);
    let x = |value: f64| left + value / right * width;
    let y = |value: f64| above + (1.0 - value / top) * height;
    let mut out = head(labels.title);
    for mark in 0..=(top / step).round() as u32 {
        let value = f64::from(mark) * step;
        line(&mut out, (left, y(value)), (left + width, y(value)), "#ddd");
        text(&mut out, (left - 8.0, y(value) + 4.0), "end", &number(value));
    }
    for &mark in x_marks {
        line(&mut out, (x(mark), above + height), (x(mark), above + height + 5.0), "#333");
        text(&mut out, (x(mark), above + height + 20.0), "middle", &number(mark));
    }
    line(&mut out, (left, above), (left, above + height), "#333");
    line(&mut out, (left, above + height), (left + width, above + height), "#333");
    text(&mut out, (left + width / 2.0, SIZE.1 - 12.0), "middle", labels.x);
    text(&mut out, (left - 8.0, above - 14.0), "end", labels.y);
    for (at, series) in series.iter().enumerate() {
        let (colour, dash) = (COLOURS[at % COLOURS.len()], DASHES[at % DASHES.len()]);
        let places = |(a, b): &(f64, f64)| format!("{:.1},{:.1}", x(*a), y(*b));
        let path: Vec<String> = series.points.iter().map(places).collect();
        let path = path.join(" ");
        let look = format!("fill=\"none\" stroke=\"{colour}\" stroke-dasharray=\"{dash}\"");
        let _ = writeln!(out, "<polyline points=\"{path}\" {look} stroke-width=\"2\"/>");
        for (a, b) in &series.points {
            let title = format!("{}: {} at {}", escaped(&series.name), number(*b), number(*a));
            let (a, b) = (x(*a), y(*b));
            let _ = writeln!(
                out,
                "<circle cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"3.5\" fill=\"{colour}\"><title>{title}\
                 </title></circle>"
            );
        }
        let row = above + 10.0 + 18.0 * at as f64;
        let _ = writeln!(
            out,
            "<line x1=\"{}\" y1=\"{row}\" x2=\"{}\" y2=\"{row}\" {look} stroke-width=\"2\"/>",
            left + 12.0,
            left + 44.0
        );
        text(&mut out, (left + 52.0, row + 4.0), "start", &series.name);
    }
    out + "</svg>\n"
}

fn head(title: &str) -> String {
    let (width, height) = SIZE;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"20\" text-anchor=\"middle\" font-size=\"14\">{}</text>",
        width / 2.0,
        escaped(title)
    );
    out
}

fn line(out: &mut String, from: (f64, f64), to: (f64, f64), colour: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        out,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>"
    );
}

fn text(out: &mut String, at: (f64, f64), anchor: &str, text: &str) {
    let ((x, y), text) = (at, escaped(text));
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

/// Returns the smallest of 1, 2 and 5 times a power of ten that is at least `least`.
fn round_step(least: f64) -> f64 {
    if least.is_nan() || least <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= least * 0.999).unwrap_or(steps[3])
}

/// Formats a number with at most two decimals, none from 100 on.
fn number(value: f64) -> String {
    let places = if value.abs() >= 100.0 { 0 } else { 2 };
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// Escapes text for XML 1.0, and drops control characters, which it cannot represent.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{FFFE}' | '\u{FFFF}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_large_enough() {
        let steps = [0.03, 0.5, 1.0, 1.1, 4.0, 7.0, 1234.0].map(round_step);
        assert_eq!(steps, [0.05, 0.5, 1.0, 2.0, 5.0, 10.0, 2000.0]);
        assert_eq!([0.0, -1.0, f64::NAN].map(round_step), [1.0; 3]);
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        assert_eq!([0.0, 0.25, 10.0, 2000.0].map(number), ["0", "0.25", "10", "2000"]);
    }

    #[test]
    fn a_higher_value_is_higher_up_and_inside_the_axes() {
        let points = vec![(1.0, 5.0), (8.0, 40.0), (16.0, 63.0)];
        let series = [Series { name: "a".into(), points }];
        let labels = Labels { title: "t", x: "x", y: "y" };
        let drawn = svg(&labels, &[1.0, 8.0, 16.0], &series);
        let path = drawn.split("<polyline points=\"").nth(1).unwrap().split('"').next().unwrap();
        let places: Vec<Vec<f64>> = path
            .split(' ')
            .map(|place| place.split(',').map(|number| number.parse().unwrap()).collect())
            .collect();
        assert!(places.is_sorted_by(|a, b| a[0] < b[0] && a[1] > b[1]), "{places:?}");
        let inside = |p: &Vec<f64>| p[0] >= 72.0 && p[0] <= 696.0 && p[1] >= 48.0 && p[1] <= 384.0;
        assert!(places.iter().all(inside), "{places:?}");
    }

    #[test]
    fn names_cannot_break_the_file() {
        let series = [Series { name: "<a & \"b\"\u{1b}>".into(), points: vec![] }];
        let labels = Labels { title: "</svg>", x: "x", y: "y" };
        let drawn = svg(&labels, &[], &series);
        assert_eq!(drawn.matches("</svg>").count(), 1);
        assert!(drawn.contains("&lt;a &amp; &quot;b&quot;&gt;"), "{drawn}");
    }
}
