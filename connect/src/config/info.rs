//! Definitions and checked values in the JSON shapes of Kafka's REST API.

use serde::Serialize;

use super::def::{ConfigDef, ConfigKey, ConfigType};
use super::{Config, Parsed, secret};

/// A problem with one key of a configuration. An empty key stands for the configuration as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigProblem {
    pub key: String,
    pub message: String,
}

/// `ConfigKeyInfo`: one key, as `/connector-plugins/{plugin}/config` lists it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfigKeyInfo {
    pub name: String,
    #[serde(rename = "type")]
    pub type_: &'static str,
    pub required: bool,
    pub default_value: Option<String>,
    pub importance: &'static str,
    pub documentation: String,
    pub group: Option<&'static str>,
    pub width: &'static str,
    pub display_name: String,
    pub dependents: Vec<String>,
    pub order: i32,
}

impl From<&ConfigKey> for ConfigKeyInfo {
    fn from(key: &ConfigKey) -> Self {
        ConfigKeyInfo {
            name: key.name.clone(),
            type_: key.type_.name(),
            required: key.default.is_none(),
            default_value: key.default.clone().flatten(),
            importance: key.importance.name(),
            documentation: key.documentation.clone(),
            group: key.group,
            width: key.width.name(),
            display_name: key.display_name.clone(),
            dependents: key.dependents.clone(),
            order: key.order_in_group,
        }
    }
}

/// `ConfigValueInfo`: the value of one key and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfigValueInfo {
    pub name: String,
    pub value: Option<String>,
    pub recommended_values: Vec<String>,
    pub errors: Vec<String>,
    pub visible: bool,
}

/// `ConfigInfo`: a key and its value. A key that nobody defines has no definition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfigInfo {
    pub definition: Option<ConfigKeyInfo>,
    pub value: ConfigValueInfo,
}

/// `ConfigInfos`: the answer to `/connector-plugins/{plugin}/config/validate`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfigInfos {
    pub name: String,
    pub error_count: usize,
    pub groups: Vec<&'static str>,
    pub configs: Vec<ConfigInfo>,
}

impl ConfigInfos {
    /// Reads `config` by `def`, then adds the problems that only the plugin itself can see.
    pub fn check(
        name: &str,
        def: &ConfigDef,
        config: &Config,
        extra: impl FnOnce(&Parsed) -> Vec<ConfigProblem>,
    ) -> ConfigInfos {
        let (parsed, mut problems) = def.parse(config);
        problems.extend(extra(&parsed));
        let mut configs: Vec<ConfigInfo> = def
            .keys()
            .iter()
            .map(|key| ConfigInfo { definition: Some(key.into()), value: shown(key, config) })
            .collect();
        let error_count = problems.len();
        for problem in problems {
            let known = configs.iter_mut().find(|info| info.value.name == problem.key);
            match known {
                Some(info) => info.value.errors.push(problem.message),
                None => configs.push(undefined(problem)),
            }
        }
        ConfigInfos { name: name.to_owned(), error_count, groups: def.groups(), configs }
    }

    /// Every error with the key it belongs to.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        self.configs
            .iter()
            .flat_map(|info| {
                info.value.errors.iter().map(|message| ConfigProblem {
                    key: info.value.name.clone(),
                    message: message.clone(),
                })
            })
            .collect()
    }
}

fn shown(key: &ConfigKey, config: &Config) -> ConfigValueInfo {
    let value = config.get(&key.name).cloned().or_else(|| key.default.clone().flatten());
    let hide = key.type_ == ConfigType::Password && value.is_some();
    ConfigValueInfo {
        name: key.name.clone(),
        value: if hide { Some(secret::HIDDEN.to_owned()) } else { value },
        recommended_values: Vec::new(),
        errors: Vec::new(),
        visible: true,
    }
}

fn undefined(problem: ConfigProblem) -> ConfigInfo {
    ConfigInfo {
        definition: None,
        value: ConfigValueInfo {
            name: problem.key,
            value: None,
            recommended_values: Vec::new(),
            errors: vec![problem.message],
            visible: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::def::Importance;
    use super::*;

    #[test]
    fn shape_is_kafkas() {
        let def = ConfigDef::new()
            .define(
                ConfigKey::required("topic", ConfigType::String).doc(Importance::High, "Where to."),
            )
            .define(ConfigKey::optional("password", ConfigType::Password));
        let config = Config::from([("password".to_owned(), "s3cret".to_owned())]);
        let infos = ConfigInfos::check("Plugin", &def, &config, |_| Vec::new());
        assert_eq!(infos.error_count, 1);
        let json = serde_json::to_string(&infos).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"name":"Plugin","error_count":1,"groups":[],"configs":[{"definition":"#,
                r#"{"name":"topic","type":"STRING","required":true,"default_value":null,"#,
                r#""importance":"HIGH","documentation":"Where to.","group":null,"width":"NONE","#,
                r#""display_name":"topic","dependents":[],"order":-1},"value":{"name":"topic","#,
                r#""value":null,"recommended_values":[],"errors":["Missing required configuration "#,
                r#"\"topic\" which has no default value."],"visible":true}},{"definition":"#,
                r#"{"name":"password","type":"PASSWORD","required":false,"default_value":null,"#,
                r#""importance":"MEDIUM","documentation":"","group":null,"width":"NONE","#,
                r#""display_name":"password","dependents":[],"order":-1},"value":"#,
                r#"{"name":"password","value":"[hidden]","recommended_values":[],"errors":[],"#,
                r#""visible":true}}]}"#
            )
        );
    }

    #[test]
    fn a_problem_with_an_undefined_key_is_listed_too() {
        let infos = ConfigInfos::check("P", &ConfigDef::new(), &Config::new(), |_| {
            vec![ConfigProblem { key: "a".into(), message: "no".into() }]
        });
        assert_eq!(infos.error_count, 1);
        assert_eq!(infos.problems()[0].message, "no");
        assert!(infos.configs[0].definition.is_none());
    }
}
