//! `cargo xtask docs`: the reference pages that are made from the code.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};

use crate::crds::write_or_check;
use crate::process::{cargo, output};
use crate::workspace;

/// Writes `docs/reference/*.md`; with `check`, only says whether they are fresh.
///
/// # Errors
/// If a page cannot be made or written, or, with `check`, is stale.
pub(crate) fn run(check: bool) -> Result<()> {
    let folder = workspace::root().join("docs/reference");
    write_or_check(&folder.join("crds.md"), &crds_page(), check, "docs")?;
    write_or_check(&folder.join("reasons.md"), &reasons_page(), check, "docs")?;
    let config = output(cargo().args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "broker",
        "--example",
        "config-reference",
    ]))
    .context("failed to print the configuration reference")?;
    write_or_check(&folder.join("config.md"), &format!("{config}\n"), check, "docs")
}

fn reasons_page() -> String {
    let mut page = String::from(
        "# Reasons of conditions\n\nEvery object has the conditions `Ready`, `Reconciling` (the operator works or waits, and \
         will get there by itself) and `Stalled` (somebody must change something). Their reasons are these and no \
         others; the message beside a reason names what it is about.\n\n| Reason | Meaning |\n|---|---|\n",
    );
    for reason in ::crds::Reason::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{}` | {} |", reason.as_str(), reason.explanation());
    }
    page
}

fn crds_page() -> String {
    let mut page = String::from(
        "# Custom resources\n\nGroup `vltava.dev`, version `v1alpha1`. Generated from the definitions; \
         `kubectl explain KIND.spec` shows the same. Types follow OpenAPI.\n",
    );
    for definition in ::crds::all() {
        kind(&mut page, &definition);
    }
    page
}

fn kind(page: &mut String, definition: &CustomResourceDefinition) {
    let names = &definition.spec.names;
    let short = names.short_names.iter().flatten().map(|name| format!("`{name}`"));
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "\n## {}\n\n`kubectl get {}`, short {}\n",
        names.kind,
        names.plural,
        short.collect::<Vec<_>>().join(", "),
    );
    let schema = definition.spec.versions.first().and_then(|version| version.schema.as_ref());
    let Some(schema) = schema.and_then(|schema| schema.open_api_v3_schema.as_ref()) else { return };
    if let Some(text) = &schema.description {
        let _ = writeln!(page, "{text}\n");
    }
    let _ = writeln!(page, "| field | type | meaning |\n|---|---|---|");
    for part in ["spec", "status"] {
        if let Some(schema) = schema.properties.as_ref().and_then(|all| all.get(part)) {
            fields(page, part, schema);
        }
    }
}

/// A row for each field below `path`, in the order of their names.
fn fields(page: &mut String, path: &str, schema: &JSONSchemaProps) {
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        let required = schema.required.as_ref().is_some_and(|required| required.contains(name));
        let text =
            field.description.as_deref().unwrap_or("").replace('\n', " ").replace('|', "\\|");
        let _ = writeln!(
            page,
            "| `{path}`{} | {} | {text}{} |",
            if required { " (required)" } else { "" },
            type_name(field),
            default_text(field),
        );
        fields(page, &path, field);
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = &field.items {
            fields(page, &format!("{path}[]"), items);
        }
    }
}

fn type_name(field: &JSONSchemaProps) -> String {
    if let Some(values) = &field.enum_ {
        let values = values.iter().map(|value| format!("`{}`", value.0));
        return values.collect::<Vec<_>>().join(", ");
    }
    let name = field.type_.clone().unwrap_or_else(|| "any".to_owned());
    match (&field.items, &field.additional_properties) {
        (Some(JSONSchemaPropsOrArray::Schema(items)), _) => {
            format!("array of {}", type_name(items))
        }
        (_, Some(_)) => "map".to_owned(),
        _ => name,
    }
}

fn default_text(field: &JSONSchemaProps) -> String {
    field.default.as_ref().map(|value| format!(" Default: `{}`.", value.0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_its_fields_are_on_the_page() {
        let page = crds_page();
        for kind in ["Cluster", "Topic", "User", "Connect", "Connector", "StreamsApp"] {
            assert!(page.contains(&format!("\n## {kind}\n")), "{kind}");
        }
        assert!(page.contains("| `spec.partitions`"), "{page}");
        assert!(page.contains("status.conditions"), "{page}");
    }
}
