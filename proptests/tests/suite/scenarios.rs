//! The scenarios kept in `proptests/scenarios`: each tells its story in its comment and checks it in its steps.

use proptests::run::run;
use proptests::scenario::Scenario;

#[test]
fn every_kept_scenario_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario: Scenario = text
            .parse()
            .unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert!(text.starts_with("# "), "{} tells no story", path.display());
        if let Err(why) = run(&scenario) {
            panic!("{}: {why}", path.display());
        }
        count += 1;
    }
    assert!(count >= 18, "{count} scenarios");
}
