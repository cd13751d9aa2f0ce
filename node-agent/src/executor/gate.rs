//! The last gate: turns what the operator sent into a job, with the validation that everything else shares.
//!
//! In: a Run message. Out: a job with every default applied, or every error with its field path. The operator has
//! validated the spec, by its own version; what runs here must be valid by this one. Pure.

use evaljob_crds::spec::{ConfigMapKeyRef, EvalJobSpec};
use evaljob_crds::{FieldError, Inputs, job, wire};

/// Reads and checks a run's spec and inputs.
///
/// # Errors
/// What is wrong, by field.
pub(super) fn job(run: &wire::Run) -> Result<job::Job, Vec<FieldError>> {
    let spec: EvalJobSpec = serde_json::from_slice(&run.spec).map_err(|error| {
        vec![FieldError {
            path: "spec".to_owned(),
            message: error.to_string(),
        }]
    })?;
    let mut inputs = Inputs::default();
    for input in &run.inputs {
        let reference = ConfigMapKeyRef {
            name: input.config_map.clone(),
            key: input.key.clone(),
        };
        inputs.insert(reference, Ok(input.value.clone()));
    }
    job::build(&spec, &inputs)
}

#[cfg(test)]
mod tests {
    use evaljob_crds::job::Work;

    use super::*;

    fn run(spec: &str, inputs: &[(&str, &str, &[u8])]) -> wire::Run {
        wire::Run {
            spec: spec.as_bytes().to_vec(),
            inputs: inputs
                .iter()
                .map(|(config_map, key, value)| wire::Input {
                    config_map: (*config_map).to_owned(),
                    key: (*key).to_owned(),
                    value: value.to_vec(),
                })
                .collect(),
            ..wire::Run::default()
        }
    }

    #[test]
    fn a_spec_meets_its_inputs() {
        let spec = r#"{"command":["cat"],"stdinFrom":{"configMapKeyRef":{"name":"in","key":"k"}}}"#;
        let built = job(&run(spec, &[("in", "k", b"\0text")])).unwrap();
        let stdin = b"\0text".to_vec();
        assert_eq!(built.work, Work::Run { stdin });
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        let rows = [
            ("no JSON", "{", "spec"),
            ("a wrong type", r#"{"command":[7]}"#, "spec"),
            ("no command", r#"{"command":[]}"#, "spec.command"),
            (
                "an input that did not come",
                r#"{"command":["cat"],"stdinFrom":{"configMapKeyRef":{"name":"in","key":"other"}}}"#,
                "spec.stdinFrom.configMapKeyRef",
            ),
            (
                "a field that is not built",
                r#"{"command":["cat"],"image":"a/b:1"}"#,
                "spec.image",
            ),
        ];
        for (row, spec, path) in rows {
            let errors = job(&run(spec, &[("in", "k", b"")])).expect_err(row);
            assert_eq!(errors[0].path, path, "{row}: {errors:?}");
        }
    }
}
