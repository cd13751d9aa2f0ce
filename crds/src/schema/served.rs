//! What an API server's schema of an EvalJob lacks, compared with the one this build knows.
//!
//! A field that the server does not know is pruned from whatever is stored, without a word where the client does not
//! ask for one. Only fields are compared: a bound or a rule that is missing lets more in, which the operator finds
//! itself, and an unknown name of an enum is refused.

use serde_json::Value;

/// Fields that this build knows and a server does not, such as `spec.limits.openFiles`; of a part that is missing only
/// the part itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Below spec: a job may be stored as another one than its manifest asks for.
    pub spec: Vec<String>,
    /// Below status: results are stored without them.
    pub status: Vec<String>,
}

/// Compares the schema that a server uses with this build's.
#[must_use]
pub fn missing(served: &Value) -> Missing {
    let own = super::schema();
    let below = |part: &str| {
        let mut found = Vec::new();
        let (own, served) = (&own["properties"][part], &served["properties"][part]);
        compare(own, served, part, &mut found);
        found
    };
    Missing {
        spec: below("spec"),
        status: below("status"),
    }
}

fn compare(own: &Value, served: &Value, path: &str, found: &mut Vec<String>) {
    if served.is_null() {
        found.push(path.to_owned());
        return;
    }
    if served["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    for (name, own) in own["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        compare(own, &served["properties"][name], &path, found);
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(own) = own.get(key) {
            compare(own, &served[key], &format!("{path}{mark}"), found);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn without(paths: &[&str]) -> Value {
        let mut schema = crate::schema();
        for path in paths {
            let (parent, name) = path.rsplit_once('/').unwrap();
            let parent = schema.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            parent.remove(name).unwrap();
        }
        schema
    }

    #[test]
    fn nothing_is_missing_in_the_own_schema_nor_in_a_newer_one() {
        let mut newer = crate::schema();
        assert_eq!(missing(&newer), Missing::default());
        newer["properties"]["spec"]["properties"]["later"] = json!({"type": "string"});
        newer["properties"]["later"] = json!({"type": "string"});
        assert_eq!(missing(&newer), Missing::default());
    }

    #[test]
    fn each_missing_field_is_named_with_its_path_and_a_missing_part_once() {
        let served = without(&[
            "/properties/spec/properties/limits/properties/openFiles",
            "/properties/spec/properties/network",
            "/properties/spec/properties/tests/items/properties/weight",
            "/properties/spec/properties/nodeSelector/additionalProperties",
            "/properties/status/properties/enforcement",
        ]);
        let expected = Missing {
            spec: [
                "spec.limits.openFiles",
                "spec.network",
                "spec.nodeSelector.*",
                "spec.tests[].weight",
            ]
            .map(str::to_owned)
            .to_vec(),
            status: vec!["status.enforcement".to_owned()],
        };
        assert_eq!(missing(&served), expected);
        assert_eq!(missing(&json!({})).spec, ["spec"]);
    }

    #[test]
    fn a_part_that_keeps_unknown_fields_lacks_none() {
        let mut served = without(&["/properties/spec/properties/limits/properties"]);
        assert!(!missing(&served).spec.is_empty());
        served["properties"]["spec"]["properties"]["limits"]["x-kubernetes-preserve-unknown-fields"] =
            true.into();
        assert_eq!(missing(&served).spec, Vec::<String>::new());
    }
}
