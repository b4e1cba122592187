//! `/connector-plugins`.

use std::collections::HashMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};

use super::{RestError, body};
use crate::config::connector::CONNECTOR_CLASS;
use crate::config::{ConfigInfos, ConfigKeyInfo};
use crate::herder::Herder;
use crate::herder::validate::def_of;
use crate::plugins::{PluginKind, VERSION};

pub(super) async fn list(
    State(herder): State<Herder>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Vec<Value>> {
    let only = query.get("connectorsOnly").is_none_or(|only| !only.eq_ignore_ascii_case("false"));
    let connector = |kind| matches!(kind, PluginKind::Source | PluginKind::Sink);
    let plugins = herder.plugins().list().into_iter();
    Json(
        plugins
            .filter(|plugin| !only || connector(plugin.kind))
            .map(|plugin| {
                json!({ "class": plugin.class, "type": plugin.kind.name(), "version": VERSION })
            })
            .collect(),
    )
}

/// The keys of a plugin; a connector's own and those that every connector has.
pub(super) async fn config(
    State(herder): State<Herder>,
    Path(plugin): Path<String>,
) -> Result<Json<Vec<ConfigKeyInfo>>, RestError> {
    let config = [(CONNECTOR_CLASS.to_owned(), plugin.clone())].into();
    let def = def_of(herder.plugins(), &config).or_else(|| herder.plugins().config_def(&plugin));
    let def = def.ok_or_else(|| {
        RestError::not_found(format!("Unknown plugin {plugin}; GET /connector-plugins lists them"))
    })?;
    Ok(Json(def.keys().iter().map(ConfigKeyInfo::from).collect()))
}

pub(super) async fn validate(
    State(herder): State<Herder>,
    Path(plugin): Path<String>,
    body: Bytes,
) -> Result<Json<ConfigInfos>, RestError> {
    let mut config = body::config(body::object(&body)?)?;
    let class = config.entry(CONNECTOR_CLASS.to_owned()).or_insert_with(|| plugin.clone());
    let find = |name: &str| herder.plugins().connector(name).map(|(class, _)| class);
    let asked = find(&plugin).ok_or_else(|| {
        RestError::bad_request(format!(
            "Failed to find any class that implements Connector and which name matches {plugin}"
        ))
    })?;
    if find(class).is_some_and(|named| named != asked) {
        return Err(RestError::bad_request(format!(
            "Included connector type {class} does not match request type {plugin}"
        )));
    }
    Ok(Json(herder.validate(&config)))
}
