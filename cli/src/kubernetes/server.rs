//! Asks the API server what it would make of an object.

use anyhow::Context as _;
use axum::http;
use kube::Client;
use kube::api::{ApiResource, DynamicObject, GetParams, PostParams};
use kube::client::Body;
use kube::core::Request;
use kube::core::request::Error;
use serde_json::Value as Json;

/// A request that kube has built, or why it could not.
type Built = Result<http::Request<Vec<u8>>, Error>;

/// Where an object is, or would be.
pub(super) struct Place<'a> {
    pub(super) client: &'a Client,
    pub(super) resource: &'a ApiResource,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

/// What a dry run came to.
#[derive(Debug)]
pub(super) enum Reply {
    Accepted {
        /// With every default filled in.
        object: Json,
        /// What else the API server and the operator have to say.
        warnings: Vec<String>,
    },
    Refused(String),
}

impl Place<'_> {
    /// The object as it is.
    pub(super) async fn get(&self) -> anyhow::Result<Option<Json>> {
        let request = self.request().get(self.name, &GetParams::default());
        let (code, _, body) = self.send(request).await?;
        match code {
            200 => Ok(Some(body)),
            // Of an API server that does not know the kind too: creating it will say so.
            404 => Ok(None),
            _ => anyhow::bail!("{}", message(&body, code)),
        }
    }

    /// Makes the object, or puts the described spec in the place of that of `live`, all but for writing it down.
    pub(super) async fn dry_run(
        &self,
        described: &Json,
        live: Option<&Json>,
    ) -> anyhow::Result<Reply> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let request = match live {
            Some(live) => {
                let mut object = live.clone();
                object["spec"] = described["spec"].clone();
                self.request().replace(self.name, &params, serde_json::to_vec(&object)?)
            }
            None => {
                let mut object = described.clone();
                object["metadata"]["namespace"] = self.namespace.into();
                self.request().create(&params, serde_json::to_vec(&object)?)
            }
        };
        let (code, warnings, body) = self.send(request).await?;
        Ok(match code {
            200 | 201 => Reply::Accepted { object: body, warnings },
            401 | 500.. => anyhow::bail!("{}", message(&body, code)),
            _ => Reply::Refused(message(&body, code)),
        })
    }

    fn request(&self) -> Request {
        use kube::Resource as _;
        Request::new(DynamicObject::url_path(self.resource, Some(self.namespace)))
    }

    /// Status code, warnings and body of the answer.
    async fn send(&self, request: Built) -> anyhow::Result<(u16, Vec<String>, Json)> {
        let request = request.context("cannot ask the API server")?.map(Body::from);
        let answer = self.client.send(request).await.context("the API server does not answer")?;
        let code = answer.status().as_u16();
        let headers = answer.headers().get_all("warning").iter();
        let warnings = headers.filter_map(|value| warning(value.to_str().ok()?)).collect();
        let body = answer.into_body().collect_bytes().await.context("half an answer")?;
        let body = serde_json::from_slice(&body).context("the API server's answer is no JSON")?;
        Ok((code, warnings, body))
    }
}

fn message(status: &Json, code: u16) -> String {
    match status["message"].as_str() {
        Some(text) => text.to_owned(),
        None => format!("the API server answers {code}"),
    }
}

/// The text of a Warning header, as `299 - "text"` (RFC 7234, section 5.5).
fn warning(header: &str) -> Option<String> {
    let quoted = header.split_once('"')?.1;
    let (mut text, mut escaped) = (String::new(), false);
    for c in quoted.chars() {
        match (c, escaped) {
            ('\\', false) => escaped = true,
            ('"', false) => return Some(text),
            _ => {
                text.push(c);
                escaped = false;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::warning;

    #[test]
    fn a_warning_is_what_stands_in_quotes() {
        assert_eq!(warning(r#"299 - "brokers restart""#).as_deref(), Some("brokers restart"));
        assert_eq!(
            warning(r#"299 - "unknown field \"spec.x\"""#).as_deref(),
            Some(r#"unknown field "spec.x""#)
        );
        assert_eq!(warning("299 -"), None);
        assert_eq!(warning(r#"299 - "no end"#), None);
    }
}
