//! What the files ask for, as a whole: objects that refer to one another, checked against one another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crds::{ClusterSpec, ConnectSpec, ConnectorSpec, StreamsAppSpec, TopicSpec};

use super::load::Loaded;
use super::object::{Declared, Kind, ObjectKey, Place, Refusal};
use super::reconcile::streams_app::{self, DesiredApp};

/// The name of the cluster and of the Connect group when no file gives them one.
pub(crate) const DEFAULT_NAME: &str = "local";

/// What should be, per kind and name.
#[derive(Debug, Default)]
pub(crate) struct Desired {
    pub(crate) cluster: Option<Declared<ClusterSpec>>,
    pub(crate) connect: Option<Declared<ConnectSpec>>,
    pub(crate) users: BTreeSet<String>,
    pub(crate) topics: BTreeMap<String, Declared<TopicSpec>>,
    pub(crate) connectors: BTreeMap<String, Declared<ConnectorSpec>>,
    pub(crate) apps: BTreeMap<String, DesiredApp>,
    /// Objects that cannot work as written. What runs under their names from an earlier version goes on.
    pub(crate) refused: BTreeMap<ObjectKey, Refusal>,
    /// Documents that do not say which object they are.
    pub(crate) anonymous: Vec<Refusal>,
    /// Files that could not be read wholly: nothing that was in them counts as removed.
    pub(crate) broken: BTreeSet<PathBuf>,
    pub(crate) notes: Vec<String>,
}

impl Desired {
    /// Every object that a file names, refused ones included.
    pub(crate) fn keys(&self) -> BTreeSet<ObjectKey> {
        let of = |kind: Kind| move |name: &String| ObjectKey::new(kind, name.clone());
        let mut keys: BTreeSet<ObjectKey> = self.refused.keys().cloned().collect();
        keys.extend(self.cluster.iter().map(|c| ObjectKey::new(Kind::Cluster, c.name.clone())));
        keys.extend(self.connect.iter().map(|c| ObjectKey::new(Kind::Connect, c.name.clone())));
        keys.extend(self.users.iter().map(of(Kind::User)));
        keys.extend(self.topics.keys().map(of(Kind::Topic)));
        keys.extend(self.connectors.keys().map(of(Kind::Connector)));
        keys.extend(self.apps.keys().map(of(Kind::StreamsApp)));
        keys
    }

    /// How the Topic object of the topic `kafka_name` is called.
    pub(crate) fn topic_object(&self, kafka_name: &str) -> Option<&Declared<TopicSpec>> {
        self.topics.values().find(|topic| kafka_name_of(topic) == kafka_name)
    }

    /// Checks the objects against one another.
    pub(crate) fn resolve(loaded: Loaded) -> Self {
        let mut desired = Self { broken: loaded.broken, notes: loaded.notes, ..Self::default() };
        for (key, refusal) in loaded.refused {
            match key {
                Some(key) => desired.refuse(key, refusal),
                None => desired.anonymous.push(refusal),
            }
        }
        let mut names = References::default();
        desired.cluster = desired.only(Kind::Cluster, loaded.clusters, "cluster");
        desired.connect = desired.only(Kind::Connect, loaded.connects, "group of Connect workers");
        names.cluster =
            desired.cluster.as_ref().map(|c| (c.name.clone(), c.origin.at(&["metadata", "name"])));
        names.connect =
            desired.connect.as_ref().map(|c| (c.name.clone(), c.origin.at(&["metadata", "name"])));

        if let Some(connect) = desired.connect.take() {
            let place = connect.origin.at(&["spec", "clusterRef", "name"]);
            match names.cluster(&connect.spec.cluster_ref.name, place) {
                Ok(()) => desired.connect = Some(connect),
                Err(refusal) => {
                    desired.refuse(ObjectKey::new(Kind::Connect, connect.name), refusal);
                }
            }
        }
        desired.users = loaded.users.into_iter().map(|user| user.name).collect();
        desired.add_topics(loaded.topics, &mut names);
        desired.add_connectors(loaded.connectors, &mut names);
        desired.add_apps(loaded.apps, &mut names);
        desired
    }

    fn refuse(&mut self, key: ObjectKey, refusal: Refusal) {
        self.refused.entry(key).or_insert(refusal);
    }

    /// The first of `all`; the others are refused, for `up` runs one of each.
    fn only<S>(&mut self, kind: Kind, all: Vec<Declared<S>>, what: &str) -> Option<Declared<S>> {
        let mut all = all.into_iter();
        let first = all.next()?;
        for other in all {
            let place = other.origin.at(&["metadata", "name"]);
            let message = format!(
                "vltava up runs one {what}, and {}/{} at {} is it; remove this one, or start it by another vltava up",
                kind.name(),
                first.name,
                first.origin.at(&["metadata", "name"]),
            );
            let refusal = Refusal::new(place, message);
            if other.name == first.name {
                self.anonymous.push(refusal);
            } else {
                self.refuse(ObjectKey::new(kind, other.name), refusal);
            }
        }
        Some(first)
    }

    fn add_topics(&mut self, topics: Vec<Declared<TopicSpec>>, names: &mut References) {
        let mut owners: BTreeMap<String, Place> = BTreeMap::new();
        for topic in topics {
            let key = ObjectKey::new(Kind::Topic, topic.name.clone());
            let place = topic.origin.at(&["metadata", "name"]);
            let reference = topic.origin.at(&["spec", "clusterRef", "name"]);
            let kafka_name = kafka_name_of(&topic).to_owned();
            let checked = twice(Kind::Topic, &topic, &self.topics)
                .and_then(|()| names.cluster(&topic.spec.cluster_ref.name, reference))
                .and_then(|()| match owners.get(&kafka_name) {
                    Some(first) => Err(Refusal::new(
                        place.clone(),
                        format!("topic '{kafka_name}' is already described at {first}; keep one of the two"),
                    )),
                    None => Ok(()),
                });
            match checked {
                Ok(()) => {
                    owners.insert(kafka_name, place);
                    self.topics.insert(topic.name.clone(), topic);
                }
                Err(refusal) => self.refuse_twin(key, refusal),
            }
        }
    }

    fn add_connectors(&mut self, connectors: Vec<Declared<ConnectorSpec>>, names: &mut References) {
        for connector in connectors {
            let key = ObjectKey::new(Kind::Connector, connector.name.clone());
            let reference = connector.origin.at(&["spec", "connectRef", "name"]);
            let checked = twice(Kind::Connector, &connector, &self.connectors)
                .and_then(|()| names.connect(&connector.spec.connect_ref.name, reference));
            match checked {
                Ok(()) => {
                    self.connectors.insert(connector.name.clone(), connector);
                }
                Err(refusal) => self.refuse_twin(key, refusal),
            }
        }
    }

    fn add_apps(&mut self, apps: Vec<Declared<StreamsAppSpec>>, names: &mut References) {
        for app in apps {
            let key = ObjectKey::new(Kind::StreamsApp, app.name.clone());
            let reference = app.origin.at(&["spec", "clusterRef", "name"]);
            let twin = self
                .apps
                .get(&app.name)
                .map(|first| first.declared.origin.at(&["metadata", "name"]));
            let checked = match twin {
                Some(first) => Err(said_twice(
                    Kind::StreamsApp,
                    &app.name,
                    app.origin.at(&["metadata", "name"]),
                    &first,
                )),
                None => names.cluster(&app.spec.cluster_ref.name, reference),
            };
            match checked.and_then(|()| streams_app::compile(app)) {
                Ok(app) => {
                    self.apps.insert(app.declared.name.clone(), app);
                }
                Err(refusal) => self.refuse_twin(key, refusal),
            }
        }
    }

    /// Refuses a document; when another document of the same name is fine, that one keeps the name.
    fn refuse_twin(&mut self, key: ObjectKey, refusal: Refusal) {
        let taken = match key.kind {
            Kind::Topic => self.topics.contains_key(&key.name),
            Kind::Connector => self.connectors.contains_key(&key.name),
            Kind::StreamsApp => self.apps.contains_key(&key.name),
            _ => false,
        };
        if taken {
            self.anonymous.push(refusal);
        } else {
            self.refuse(key, refusal);
        }
    }
}

/// The topic's name in Kafka.
pub(crate) fn kafka_name_of(topic: &Declared<TopicSpec>) -> &str {
    topic.spec.topic_name.as_deref().unwrap_or(&topic.name)
}

fn twice<S>(
    kind: Kind,
    object: &Declared<S>,
    known: &BTreeMap<String, Declared<S>>,
) -> Result<(), Refusal> {
    match known.get(&object.name) {
        Some(first) => Err(said_twice(
            kind,
            &object.name,
            object.origin.at(&["metadata", "name"]),
            &first.origin.at(&["metadata", "name"]),
        )),
        None => Ok(()),
    }
}

fn said_twice(kind: Kind, name: &str, place: Place, first: &Place) -> Refusal {
    Refusal::new(
        place,
        format!("{}/{name} is already described at {first}; keep one of the two", kind.name()),
    )
}

/// The names that references must have: of the objects, or else the first that is referred to.
#[derive(Debug, Default)]
struct References {
    cluster: Option<(String, Place)>,
    connect: Option<(String, Place)>,
}

impl References {
    fn cluster(&mut self, name: &str, place: Place) -> Result<(), Refusal> {
        agree(&mut self.cluster, "Cluster", name, place)
    }

    fn connect(&mut self, name: &str, place: Place) -> Result<(), Refusal> {
        agree(&mut self.connect, "Connect", name, place)
    }
}

fn agree(
    known: &mut Option<(String, Place)>,
    kind: &str,
    name: &str,
    place: Place,
) -> Result<(), Refusal> {
    match known {
        None => {
            *known = Some((name.to_owned(), place));
            Ok(())
        }
        Some((only, _)) if only == name => Ok(()),
        Some((only, first)) => Err(Refusal::new(
            place,
            format!("{kind} '{name}' is not here; write '{only}', the one at {first}"),
        )),
    }
}
