//! Bad manifests, each refused at the first gate with the path of the field.

use evaljob_crds::manifest;

#[path = "rows/bad_manifests.rs"]
mod bad_manifests;

use bad_manifests::BAD;

#[test]
fn each_bad_manifest_is_refused_by_the_path_of_its_field() {
    let mut wrong = Vec::new();
    for (spec, path, word, _) in BAD {
        match manifest::parse([bad_manifests::manifest("bad", spec).as_str()]) {
            Ok(_) => wrong.push(format!("accepted: {spec}")),
            Err(errors) => {
                let hit = errors.iter().any(|error| {
                    error.error.path.starts_with(path) && error.to_string().contains(word)
                });
                if !hit {
                    let shown: Vec<_> = errors.iter().map(ToString::to_string).collect();
                    wrong.push(format!(
                        "{spec}\n    wanted {path}, {word:?}\n    got {shown:?}"
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        BAD.len(),
        wrong.join("\n")
    );
}

#[test]
fn documents_are_numbered_named_and_share_their_config_maps() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: in, labels: {evaljob.dev/input: 'true'}}\nimmutable: true\ndata: {k: v}\n---\napiVersion: evaljob.dev/v1alpha1\nkind: EvalJob\nmetadata: {generateName: a-}\nspec: {command: [cat], stdinFrom: {configMapKeyRef: {name: in, key: k}}}\n";
    let documents = manifest::parse([text]).unwrap();
    assert_eq!(documents.jobs.len(), 1);
    assert_eq!(
        (documents.jobs[0].number, documents.jobs[0].name.as_str()),
        (2, "a-2")
    );
    let spec = &documents.jobs[0].job.spec;
    evaljob_crds::job::build(spec, &documents.inputs(spec)).unwrap();
}

#[test]
fn an_unknown_kind_and_broken_yaml_are_errors_of_their_document() {
    let errors = manifest::parse(["kind: Pod\napiVersion: v1\n"]).unwrap_err();
    assert!(errors[0].to_string().contains("Pod"), "{}", errors[0]);
    manifest::parse(["a: [\n"]).unwrap_err();
}

#[test]
fn a_batch_may_have_thousands_of_documents_and_many_tests() {
    let tests: String = (0..40)
        .map(|test| format!("  - {{name: '{test}', stdin: 'x', expectedStdout: 'y'}}\n"))
        .collect();
    let one = format!(
        "apiVersion: evaljob.dev/v1alpha1\nkind: EvalJob\nmetadata: {{generateName: a-}}\nspec:\n  command: [cat]\n  tests:\n{tests}"
    );
    let all = vec![one; 1_100].join("---\n");
    assert_eq!(manifest::parse([all.as_str()]).unwrap().jobs.len(), 1_100);
}

#[test]
fn one_anchor_may_serve_every_test() {
    let tests = "  - {name: '@', stdin: *input}\n";
    let tests: String = (0..300)
        .map(|test| tests.replace('@', &test.to_string()))
        .collect();
    let text = format!(
        "apiVersion: evaljob.dev/v1alpha1\nkind: EvalJob\nmetadata: {{name: a}}\nspec:\n  command: [&input cat]\n  tests:\n{tests}"
    );
    let documents = manifest::parse([text.as_str()]).unwrap();
    assert_eq!(documents.jobs[0].job.spec.tests.len(), 300);
}

#[test]
fn what_aliases_multiply_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        text += &format!("a{level}: &a{level} [{below}]\n");
    }
    manifest::parse([text.as_str()]).unwrap_err();
}

#[test]
fn a_field_without_a_value_is_an_absent_one() {
    let text = "apiVersion: evaljob.dev/v1alpha1\nkind: EvalJob\nmetadata: {name: a, labels: }\nspec:\n  command: [cat]\n  files:\n  args:\n  limits:\n  tests:\n  - {name: '1', args: , stdin: }\n";
    let documents = manifest::parse([text]).unwrap();
    let spec = &documents.jobs[0].job.spec;
    assert!(spec.files.is_empty() && spec.args.is_empty());
    assert_eq!(spec.tests.len(), 1);
}
