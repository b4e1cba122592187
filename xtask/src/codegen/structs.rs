//! One struct: its definition, default, and the functions that read and write it.

use std::fmt::Write as _;

use super::field::RustField;
use super::schema::{Message, Struct};
use super::versions::When;

/// The Rust text of one struct.
pub(super) fn emit(message: &Message, of: &Struct) -> anyhow::Result<String> {
    let fields: Vec<RustField<'_>> = of
        .fields
        .iter()
        .filter(|f| !f.versions.and(of.versions).is_empty())
        .map(|f| RustField::new(f, message, &of.name, of.versions))
        .collect();
    let mut text = definition(message, of, &fields)?;
    let name = &of.name;
    writeln!(text, "\nimpl {name} {{")?;
    text += &read(message, of, &fields)?;
    text += "\n";
    text += &write(message, of, &fields)?;
    text += "}\n";
    Ok(text)
}

fn definition(message: &Message, of: &Struct, fields: &[RustField<'_>]) -> anyhow::Result<String> {
    let name = &of.name;
    let defaults = fields.iter().map(RustField::default).collect::<anyhow::Result<Vec<_>>>()?;
    let derived = defaults.iter().all(|(_, natural)| *natural);
    let mut text = String::new();
    if *name == message.name {
        let last = message.versions.last;
        writeln!(text, "/// Kafka's `{name}`, versions {} to {last}.", message.versions.first)?;
    } else {
        writeln!(text, "/// Part of [`{}`].", message.name)?;
    }
    writeln!(text, "#[derive(Debug, Clone, PartialEq{})]", if derived { ", Default" } else { "" })?;
    writeln!(text, "pub struct {name} {{")?;
    for field in fields {
        writeln!(text, "    /// {}", about(field))?;
        writeln!(text, "    pub {}: {},", field.name(), field.rust_type())?;
    }
    text += "}\n";
    if !derived {
        writeln!(text, "\nimpl Default for {name} {{")?;
        writeln!(text, "    fn default() -> Self {{\n        Self {{")?;
        for (field, (default, _)) in fields.iter().zip(&defaults) {
            writeln!(text, "            {}: {default},", field.name())?;
        }
        text += "        }\n    }\n}\n";
    }
    Ok(text)
}

/// Kafka's words about a field; where they are not for all versions, with the versions.
fn about(field: &RustField<'_>) -> String {
    let about =
        field.field.about.trim().replace('[', "\\[").replace(']', "\\]").replace('<', "\\<");
    let about = if about.is_empty() { field.field.name.clone() } else { about };
    let versions = field.field.versions;
    match (versions.first, versions.last) {
        (0, i16::MAX) => about,
        (first, i16::MAX) => format!("{about} (versions {first}+)"),
        (first, last) => format!("{about} (versions {first}-{last})"),
    }
}

/// `let flex`, when the struct's code asks for it.
fn flex(message: &Message, of: &Struct, body: &str) -> String {
    match When::new(message.flexible, of.versions) {
        When::If(when) if body.contains("flex") => format!("        let flex = {when};\n"),
        _ => String::new(),
    }
}

fn read(message: &Message, of: &Struct, fields: &[RustField<'_>]) -> anyhow::Result<String> {
    let mut body = String::new();
    for field in fields {
        let name = field.name();
        let (default, _) = field.default()?;
        if field.field.tagged.is_some() {
            writeln!(body, "        let mut {name} = {default};")?;
            continue;
        }
        match field.present_when(of.versions) {
            When::If(when) => {
                let read = field.read();
                writeln!(
                    body,
                    "        let {name} = if {when} {{ {read} }} else {{ {default} }};"
                )?;
            }
            _ => writeln!(body, "        let {name} = {};", field.read())?,
        }
    }
    body += &read_tagged(message, of, fields)?;
    let names: Vec<String> = fields.iter().map(RustField::name).collect();
    let v = if uses_version(&body)
        || When::new(message.flexible, of.versions) != When::Always && body.contains("flex")
    {
        "v"
    } else {
        "_v"
    };
    let d = if body.contains("d.") { "d" } else { "_d" };
    Ok(format!(
        "    fn read({d}: &mut Decoder, {v}: i16) -> Result<Self, DecodeError> {{\n{}{body}        Ok(Self {{ {} }})\n    }}\n",
        flex(message, of, &body),
        names.join(", ")
    ))
}

fn read_tagged(message: &Message, of: &Struct, fields: &[RustField<'_>]) -> anyhow::Result<String> {
    let mut arms = String::new();
    for field in fields {
        let Some((tag, _)) = field.field.tagged else { continue };
        let guard = match field.present_when(flexible_versions(message, of)) {
            When::If(when) => format!(" if {when}"),
            _ => String::new(),
        };
        writeln!(arms, "                {tag}{guard} => {} = {},", field.name(), field.read())?;
    }
    let code = if arms.is_empty() {
        "d.skip_tagged_fields()?;".to_owned()
    } else {
        format!(
            "d.tagged_fields(|tag, d| {{\n            match tag {{\n{arms}                _ => {{}}\n            }}\n            Ok(())\n        }})?;"
        )
    };
    Ok(match When::new(message.flexible, of.versions) {
        When::Always => format!("        {code}\n"),
        When::Never => String::new(),
        When::If(_) => format!("        if flex {{ {code} }}\n"),
    })
}

fn flexible_versions(message: &Message, of: &Struct) -> super::versions::Versions {
    message.flexible.and(of.versions)
}

fn write(message: &Message, of: &Struct, fields: &[RustField<'_>]) -> anyhow::Result<String> {
    let mut body = String::new();
    for field in fields {
        let when = field.present_when(of.versions);
        let refuse =
            format!("if {} {{ return Err({}); }}", field.is_set()?, field.unsupported_error());
        match (when, field.field.tagged.is_some(), field.field.ignorable) {
            (When::Always, true, _) | (When::Never, ..) | (When::If(_), true, true) => {}
            (When::If(when), true, false) => {
                writeln!(body, "        if !({when}) {{ {refuse} }}")?;
            }
            (When::Always, false, _) => writeln!(body, "        {}", field.write())?,
            (When::If(when), false, true) => {
                writeln!(body, "        if {when} {{ {} }}", field.write())?;
            }
            (When::If(when), false, false) => {
                writeln!(body, "        if {when} {{ {} }} else {refuse}", field.write())?;
            }
        }
    }
    body += &write_tagged(message, of, fields)?;
    let v = if uses_version(&body)
        || When::new(message.flexible, of.versions) != When::Always && body.contains("flex")
    {
        "v"
    } else {
        "_v"
    };
    let e = if body.contains("e.") { "e" } else { "_e" };
    Ok(format!(
        "    fn write(&self, {e}: &mut Encoder, {v}: i16) -> Result<(), EncodeError> {{\n{}{body}        Ok(())\n    }}\n",
        flex(message, of, &body)
    ))
}

fn write_tagged(
    message: &Message,
    of: &Struct,
    fields: &[RustField<'_>],
) -> anyhow::Result<String> {
    let mut tagged: Vec<(u32, &RustField<'_>)> =
        fields.iter().filter_map(|f| Some((f.field.tagged?.0, f))).collect();
    tagged.sort_by_key(|(tag, _)| *tag);
    let mut code = String::new();
    let mut count = Vec::new();
    for (tag, field) in tagged {
        let name = field.name();
        let is_set = match field.present_when(flexible_versions(message, of)) {
            When::If(when) => format!("{when} && {}", field.is_set()?),
            _ => field.is_set()?,
        };
        writeln!(code, "            let has_{name} = {is_set};")?;
        count.push((tag, name, field.write()));
    }
    if count.is_empty() {
        code = "e.uvarint(0);".to_owned();
    } else {
        let sum: Vec<String> =
            count.iter().map(|(_, name, _)| format!("u32::from(has_{name})")).collect();
        writeln!(code, "            e.uvarint({});", sum.join(" + "))?;
        for (tag, name, write) in &count {
            writeln!(
                code,
                "            if has_{name} {{ e.tagged_field({tag}, |e| {{ {write} Ok(()) }})?; }}"
            )?;
        }
    }
    Ok(match (When::new(message.flexible, of.versions), count.is_empty()) {
        (When::Never, _) => String::new(),
        (When::Always, true) => format!("        {code}\n"),
        (When::If(_), true) => format!("        if flex {{ {code} }}\n"),
        (When::Always, false) => format!("        {{\n{code}        }}\n"),
        (When::If(_), false) => format!("        if flex {{\n{code}        }}\n"),
    })
}

/// Whether `v` occurs as a word.
fn uses_version(code: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code.split(|c| !is_word(c)).any(|word| word == "v")
}
