//! The committed CRD is what the types say, and small enough for every way to apply it.

#[test]
fn evaljobs_yaml_is_fresh() {
    let committed =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/evaljobs.yaml")).unwrap();
    let printed = evaljob_crds::crd_yaml().unwrap();
    assert!(
        committed == printed,
        "crds/evaljobs.yaml is stale (hint: make crds)"
    );
}

#[test]
fn the_crd_fits_the_annotation_of_client_side_apply() {
    let json = serde_json::to_string(&evaljob_crds::crd()).unwrap();
    assert!(json.len() < 200_000, "{} bytes", json.len());
}
