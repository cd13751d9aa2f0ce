//! The medians as a picture (SVG 1.1): a bar a row, that of the sandbox in its parts.

use std::fmt::Write;

use crate::rows::Row;

/// Width of the longest bar and height of a row, in pixels.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 34.0;
const LEFT: f64 = 150.0;
const COLORS: [&str; 6] = [
    "#4e79a7", "#59a14f", "#edc948", "#bab0ac", "#e15759", "#b07aa1",
];

/// The picture of these rows, which are of one program.
pub(crate) fn draw(rows: &[&Row], machine: &str) -> Result<String, std::fmt::Error> {
    let longest = rows.iter().map(|row| row.at(50)).fold(0.0, f64::max);
    let scale = WIDTH / longest;
    let (mut y, mut svg) = (40.0, String::new());
    for row in rows {
        let (name, whole) = (row.way.name(), row.at(50));
        writeln!(svg, r#"<text x="0" y="{:.0}">{name}</text>"#, y + 17.0)?;
        let mut x = LEFT;
        let parts = if row.phases.is_empty() {
            vec![("", whole * 1e3)]
        } else {
            row.parts().to_vec()
        };
        let plain = parts.len() == 1;
        for ((_, time), color) in parts.iter().zip(COLORS) {
            let (width, color) = (time / 1e3 * scale, if plain { "#bab0ac" } else { color });
            writeln!(
                svg,
                r#"<rect x="{x:.1}" y="{y:.0}" width="{width:.1}" height="24" fill="{color}"/>"#
            )?;
            x += width;
        }
        writeln!(
            svg,
            r#"<text x="{:.0}" y="{:.0}">{whole:.2} ms</text>"#,
            x + 6.0,
            y + 17.0
        )?;
        y += HEIGHT;
    }
    let mut x = 0.0;
    y += 12.0;
    for ((name, time), color) in rows
        .iter()
        .flat_map(|row| row.parts())
        .zip(COLORS.iter().cycle())
    {
        if !time.is_normal() {
            continue;
        }
        let label = format!("{name} {time:.0} µs");
        writeln!(
            svg,
            r#"<rect x="{x:.0}" y="{y:.0}" width="12" height="12" fill="{color}"/><text x="{:.0}" y="{:.0}">{label}</text>"#,
            x + 16.0,
            y + 11.0
        )?;
        x += 140.0;
    }
    let head = format!("Start of `true` and its end awaited, medians. {machine}");
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 850 {:.0}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"0\" y=\"18\">{head}</text>\n{svg}</svg>\n",
        y + 24.0
    ))
}
