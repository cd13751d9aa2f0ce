//! The operator's gate: what the watch delivers becomes [`JobFacts`], or an InvalidSpec with field paths.
//!
//! In: an EvalJob as JSON of whatever version of the CRD. Out: the facts decisions need, the spec as compact JSON, and
//! what its status records. Never fails on a job: one that cannot be read is one that is invalid, because a single
//! odd object must not stop a watch. Pure.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

use evaljob_crds::inputs::{self, Inputs};

use evaljob_crds::spec::{File, Test};
use evaljob_crds::{
    ConditionType, EvalJobSpec, EvalJobStatus, FieldError, Reason, active_deadline,
    infra_retry_limit, job, max_queue, validate,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use serde::Deserialize;
use serde_json::Value;

use crate::decide::{JobFacts, Recorded};
use crate::names::{JobKey, Uid};
use crate::placement::Shape;

/// An EvalJob, its spec and status unread.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct LiveJob {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Its spec.
    #[serde(default)]
    pub spec: Value,
    /// Its status.
    #[serde(default)]
    pub status: Value,
}

impl Resource for LiveJob {
    type DynamicType = ();
    type Scope = kube::core::NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "EvalJob".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "evaljob.dev".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1alpha1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "evaljobs".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl LiveJob {
    /// Its uid, which every stored object has.
    #[must_use]
    pub fn uid(&self) -> Option<Uid> {
        self.metadata.uid.as_deref().map(Uid::from)
    }

    /// Where it is.
    #[must_use]
    pub fn key(&self) -> Option<JobKey> {
        Some(JobKey {
            namespace: self.metadata.namespace.as_deref()?.into(),
            name: self.metadata.name.as_deref()?.into(),
        })
    }
}

/// The facts of a job; `None` only for an object without uid, name or namespace, which no API server stores.
#[must_use]
pub fn facts(live: LiveJob, cluster_max: Duration) -> Option<JobFacts> {
    let (uid, key) = (live.uid()?, live.key()?);
    let created = live
        .metadata
        .creation_timestamp
        .map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    let recorded = recorded(&lenient_status(&live.status));
    let (spec, invalid) = match serde_json::from_value::<EvalJobSpec>(live.spec) {
        Ok(spec) => {
            let errors = validate(&spec);
            let invalid = (!errors.is_empty()).then(|| join(&errors));
            (spec, invalid)
        }
        Err(error) => (EvalJobSpec::default(), Some(format!("spec: {error}"))),
    };
    let seconds = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    let bytes = serde_json::to_vec(&spec).unwrap_or_default();
    Some(JobFacts {
        uid,
        key,
        created,
        shape: shape(&spec),
        priority: spec.priority.unwrap_or(0),
        infra_retry_limit: infra_retry_limit(&spec),
        max_queue: max_queue(&spec),
        active_deadline: active_deadline(&spec, cluster_max),
        ttl: seconds(spec.ttl_seconds_after_finished).map(Duration::from_secs),
        suspend: spec.suspend == Some(true),
        cancel: spec.cancel == Some(true),
        inputs: inputs::references(&spec),
        invalid,
        spec: bytes,
        recorded,
        digest: digest(spec),
    })
}

/// Digest of a spec without what may change in it, the order of lists that mean the same in any included; compared
/// within one process only.
fn digest(mut spec: EvalJobSpec) -> u64 {
    spec.suspend = None;
    spec.cancel = None;
    spec.ttl_seconds_after_finished = None;
    spec.node_selector.clear();
    spec.env.sort_by(|a, b| a.name.cmp(&b.name));
    spec.volumes.sort_by(|a, b| a.name.cmp(&b.name));
    let by_path = |a: &File, b: &File| a.path.cmp(&b.path);
    spec.files.sort_by(by_path);
    let checker = spec.checker.as_mut();
    if let Some(program) = checker.and_then(|checker| checker.program.as_mut()) {
        program.files.sort_by(by_path);
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(&serde_json::to_vec(&spec).unwrap_or_default());
    hasher.finish()
}

/// Errors in one line.
#[must_use]
pub fn join(errors: &[FieldError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// What placement needs to know of a spec. Limits need no inputs, so they are taken from the job that the spec's
/// skeleton describes; a spec whose limits are invalid is never placed.
fn shape(spec: &EvalJobSpec) -> Shape {
    let mut checker = spec.checker.clone();
    if let Some(program) = checker
        .as_mut()
        .and_then(|checker| checker.program.as_mut())
    {
        program.files.clear();
    }
    let test = |test: &Test| Test {
        name: test.name.clone(),
        ..Test::default()
    };
    let skeleton = EvalJobSpec {
        command: vec!["true".to_owned()],
        limits: spec.limits.clone(),
        steps: spec.steps.clone(),
        sandbox: spec.sandbox.clone(),
        tests: spec.tests.iter().map(test).collect(),
        checker,
        test_policy: spec.test_policy.clone(),
        ..EvalJobSpec::default()
    };
    let mut shape = Shape {
        slots: 1,
        node_selector: spec.node_selector.clone(),
        image: spec.image.clone(),
        node_directories: spec
            .volumes
            .iter()
            .filter_map(|volume| volume.node_directory.as_ref())
            .map(|directory| directory.name.clone())
            .collect::<BTreeSet<_>>(),
        ..Shape::default()
    };
    if let Ok(built) = job::build(&skeleton, &Inputs::default()) {
        let needs = built.needs();
        shape.slots = needs.slots;
        shape.memory = needs.memory;
        shape.landlock_abi = built.minimum_landlock_abi;
    }
    shape
}

/// A status as far as it can be read.
#[must_use]
pub fn lenient_status(status: &Value) -> EvalJobStatus {
    EvalJobStatus::deserialize(status).unwrap_or_default()
}

/// What a status without a verdict records.
#[must_use]
pub fn recorded(status: &EvalJobStatus) -> Recorded {
    let number = |value: Option<i32>| {
        value
            .and_then(|value| u32::try_from(value).ok())
            .unwrap_or(0)
    };
    let because = |type_: ConditionType, reason: Reason| {
        status
            .condition(type_)
            .is_some_and(|condition| condition.reason == reason.as_str())
    };
    let attempt = number(status.attempt);
    let changed = status
        .condition(ConditionType::Finished)
        .map(|condition| condition.last_transition_time.0);
    Recorded {
        attempt,
        infra_failures: number(status.infrastructure_failures),
        running: because(ConditionType::Finished, Reason::Running),
        suspended: because(ConditionType::Admitted, Reason::Suspended),
        fields_lost: because(ConditionType::Admitted, Reason::FieldsLost),
        advice: advice(status),
        queued: status.queued_time.as_ref().map(|time| time.0),
        retried: changed.filter(|_| attempt > 1),
        dispatched: status.dispatched_time.as_ref().map(|time| time.0),
    }
}

/// Why a job that waits is not admitted, where that may change without it.
fn advice(status: &EvalJobStatus) -> Option<(Reason, String)> {
    let admitted = status.condition(ConditionType::Admitted)?;
    let reason = [Reason::NoCapableNode, Reason::CrdOutdated]
        .into_iter()
        .find(|reason| admitted.reason == reason.as_str())?;
    Some((reason, admitted.message.clone()))
}

#[cfg(test)]
mod tests;
