//! Manifests as files: several documents, each read as the API server would read it.
//!
//! In: YAML or JSON text. Out: the EvalJobs in order and the ConfigMaps beside them, or every error of every
//! document with its field path. A document passes the same gates as in a cluster: strict fields, the structural
//! schema, then [`validate`](crate::validate), which answers as the CEL rules do.

mod structural;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;

use crate::field::{FieldError, Path, Report};
use crate::inputs::{self, Inputs};
use crate::spec::{EvalJob, EvalJobSpec};

const API_VERSION: &str = "evaljob.dev/v1alpha1";
/// All texts of one file, those that aliases repeat included.
const MANIFEST_BYTES: usize = 1 << 30;

/// An EvalJob with its place in the files.
#[derive(Debug, Clone)]
pub struct Document {
    /// Number of the document, from 1, over all files.
    pub number: usize,
    /// metadata.name, else metadata.generateName and the number.
    pub name: String,
    /// The job.
    pub job: EvalJob,
}

/// All documents of some files.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// The EvalJobs, in order.
    pub jobs: Vec<Document>,
    /// The ConfigMaps.
    pub config_maps: Vec<ConfigMap>,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("document {number}{}: {error}", .name.as_ref().map_or_else(String::new, |name| format!(" ({name})")))]
pub struct DocumentError {
    /// Number of the document, from 1.
    pub number: usize,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The field and what is wrong with it.
    pub error: FieldError,
}

impl Documents {
    /// The values of all ConfigMap references of a spec.
    #[must_use]
    pub fn inputs(&self, spec: &EvalJobSpec) -> Inputs {
        let mut found = Inputs::default();
        for reference in inputs::references(spec) {
            let named = |map: &&ConfigMap| map.metadata.name.as_deref() == Some(&*reference.name);
            let value = inputs::read(&reference, None, self.config_maps.iter().find(named));
            found.insert(reference, value);
        }
        found
    }
}

/// Reads the documents of all `texts`, numbered through.
///
/// # Errors
/// Every error of every document; nothing is returned beside them.
pub fn parse<'a>(
    texts: impl IntoIterator<Item = &'a str>,
) -> Result<Documents, Vec<DocumentError>> {
    let schema = crate::schema();
    let mut documents = Documents::default();
    let mut errors = Vec::new();
    let mut number = 0;
    for text in texts {
        let values: Vec<Value> = match serde_saphyr::from_multiple_with_options(text, options()) {
            Ok(values) => values,
            Err(error) => {
                errors.push(DocumentError {
                    number: number + 1,
                    name: None,
                    error: FieldError {
                        path: "(file)".to_owned(),
                        message: format!("is not YAML: {error}"),
                    },
                });
                continue;
            }
        };
        for value in values.into_iter().filter(|value| !value.is_null()) {
            number += 1;
            read(number, value, &schema, &mut documents, &mut errors);
        }
    }
    let (mut missing, jobs) = (Vec::new(), &documents.jobs);
    for document in jobs {
        if let Err(found) =
            crate::job::build(&document.job.spec, &documents.inputs(&document.job.spec))
        {
            missing.extend(found.into_iter().map(|error| DocumentError {
                number: document.number,
                name: Some(document.name.clone()),
                error,
            }));
        }
    }
    errors.extend(missing);
    errors.sort_by_key(|error| error.number);
    if errors.is_empty() {
        Ok(documents)
    } else {
        Err(errors)
    }
}

/// A batch may have as many documents, and as many aliases, as its file holds; what is bounded is how far aliases may
/// multiply it (the library's `alias_limits`: a million events).
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: usize::MAX,
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_total_scalar_bytes: MANIFEST_BYTES,
            max_aliases: usize::MAX,
            max_anchors: usize::MAX,
            enforce_alias_anchor_ratio: false,
        },
    }
}

fn read(
    number: usize,
    value: Value,
    schema: &Value,
    documents: &mut Documents,
    errors: &mut Vec<DocumentError>,
) {
    let name = name_of(&value, number);
    let found = match kind_of(&value) {
        ("v1", "ConfigMap") => match serde_json::from_value(value) {
            Ok(map) => {
                documents.config_maps.push(map);
                Vec::new()
            }
            Err(error) => whole(&format!("is not a ConfigMap: {error}")),
        },
        (API_VERSION, "EvalJob") => match job_of(value, schema) {
            Ok(job) => {
                let name = name.clone().unwrap_or_else(|| format!("job-{number}"));
                documents.jobs.push(Document { number, name, job });
                Vec::new()
            }
            Err(found) => found,
        },
        (version, kind) => whole(&format!(
            "{version:?} {kind:?} is not known here (hint: apiVersion: {API_VERSION}, kind: EvalJob; or apiVersion: v1, kind: ConfigMap)"
        )),
    };
    errors.extend(found.into_iter().map(|error| DocumentError {
        number,
        name: name.clone(),
        error,
    }));
}

fn whole(message: &str) -> Vec<FieldError> {
    vec![FieldError {
        path: "(document)".to_owned(),
        message: message.to_owned(),
    }]
}

fn kind_of(value: &Value) -> (&str, &str) {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    (text("apiVersion"), text("kind"))
}

fn name_of(value: &Value, number: usize) -> Option<String> {
    let metadata = value.get("metadata")?;
    let text = |field: &str| {
        metadata
            .get(field)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    text("name")
        .map(str::to_owned)
        .or_else(|| text("generateName").map(|prefix| format!("{prefix}{number}")))
}

/// The job of a document: schema first, then the rules, as the API server does it.
fn job_of(mut value: Value, schema: &Value) -> Result<EvalJob, Vec<FieldError>> {
    let mut report = Report::default();
    if let Some(object) = value.as_object_mut() {
        // A file may hold what `kubectl get -o yaml` printed; what was judged then says nothing now.
        object.remove("status");
        for field in object.keys() {
            let known = ["apiVersion", "kind", "metadata", "spec"].contains(&field.as_str());
            report.check(known, &Path::Root(field), || "unknown field".to_owned());
        }
    }
    metadata(&value, &mut report);
    let root = Path::Root("");
    let spec = root.field("spec");
    match (value.get("spec"), schema.pointer("/properties/spec")) {
        (Some(given), Some(schema)) => structural::check(given, schema, &spec, &mut report),
        _ => report.add(&spec, "is required"),
    }
    if !report.errors.is_empty() {
        return Err(report.errors);
    }
    drop_nulls(&mut value);
    let job: EvalJob = serde_json::from_value(value)
        .map_err(|error| whole(&format!("cannot be read as an EvalJob: {error}")))?;
    let found = crate::validate(&job.spec);
    if found.is_empty() {
        Ok(job)
    } else {
        Err(found)
    }
}

/// A field without a value is an absent one, as the API server has it.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// A name as the API server demands it: an RFC 1123 subdomain.
fn metadata(value: &Value, report: &mut Report) {
    let root = Path::Root("metadata");
    let Some(metadata) = value.get("metadata") else {
        return report.add(&root.field("name"), "name or generateName is required");
    };
    let (name, prefix) = (metadata.get("name"), metadata.get("generateName"));
    if name.is_none() && prefix.is_none() {
        report.add(&root.field("name"), "name or generateName is required");
    }
    if let Some(name) = name {
        let valid = name.as_str().is_some_and(|name| {
            name.len() <= 253 && structural::matches(crate::patterns::SUBDOMAIN, name)
        });
        report.check(valid, &root.field("name"), || {
            "must be at most 253 lower-case letters, digits, '-' and '.', starting and ending with a letter or digit".to_owned()
        });
    }
    if let Some(prefix) = prefix {
        report.check(prefix.is_string(), &root.field("generateName"), || {
            "must be a text".to_owned()
        });
    }
}
