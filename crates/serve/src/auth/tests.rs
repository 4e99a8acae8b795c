use super::*;
use std::sync::Arc;

fn config(source: &str, limit: u32) -> Config {
    let mut config = Config::default();
    config.auth.source_password = Some(source.into());
    config.limits.failures_per_minute = limit;
    config
}

fn who(from: [u8; 4], password: &str) -> Who<'_> {
    Who { from: from.into(), user: "source", password }
}

const HERE: [u8; 4] = [127, 0, 0, 1];
const THERE: [u8; 4] = [127, 0, 0, 2];

#[tokio::test]
async fn the_right_password_opens_and_nothing_else_does() {
    let (auth, config, mount) = (Auth::new(), config("wide open sea", 20), "/a".parse().unwrap());
    let asks = Asks::Source(&mount);
    assert_eq!(auth.allows(&config, asks, who(HERE, "wide open sea")).await, Ok(()));
    assert_eq!(auth.allows(&config, asks, who(HERE, "wide open se")).await, Err(Denied::Wrong));
    let nobody = Who { from: HERE.into(), user: "", password: "" };
    assert_eq!(auth.allows(&config, asks, nobody).await, Err(Denied::Missing));
    let stranger = Who { user: "admin", ..who(HERE, "wide open sea") };
    assert_eq!(auth.allows(&config, asks, stranger).await, Err(Denied::Wrong));
    assert_eq!(auth.allows(&config, Asks::Admin, stranger).await, Err(Denied::Wrong), "none is set");
}

#[tokio::test]
async fn a_mounts_own_password_replaces_the_servers() {
    let auth = Auth::new();
    let config: Config = toml::from_str(
        "[auth]\nsource_password = 'general'\n[[mount]]\nname = '/dj/*'\nsource_password = 'own'\nsource_user = 'dj'\n",
    )
    .unwrap();
    let (own, other) = ("/dj/x".parse().unwrap(), "/x".parse().unwrap());
    let dj = Who { user: "dj", ..who(HERE, "own") };
    assert_eq!(auth.allows(&config, Asks::Source(&own), dj).await, Ok(()));
    assert_eq!(auth.allows(&config, Asks::Source(&own), who(HERE, "general")).await, Err(Denied::Wrong));
    assert_eq!(auth.allows(&config, Asks::Source(&other), who(HERE, "general")).await, Ok(()));
}

#[tokio::test]
async fn a_hash_is_checked_once_for_a_storm_of_returning_sources() {
    let auth = Arc::new(Auth::new());
    let config = Arc::new(config(&hash("hush", &[7; 16]), 20));
    let mut storm = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (auth, config) = (auth.clone(), config.clone());
        storm.spawn(async move {
            let mount = "/a".parse().unwrap();
            auth.allows(&config, Asks::Source(&mount), who(HERE, "hush")).await
        });
    }
    assert!(storm.join_all().await.iter().all(Result::is_ok));
    assert_eq!(auth.hashes.checks(), 1);
    let mount = "/a".parse().unwrap();
    let changed = config_with(&config, &hash("other", &[8; 16]));
    let late = auth.allows(&changed, Asks::Source(&mount), who(HERE, "hush")).await;
    assert_eq!(late, Err(Denied::Wrong), "what is remembered belongs to the hash it was checked against");
}

fn config_with(config: &Config, source: &str) -> Config {
    let mut config = config.clone();
    config.auth.source_password = Some(source.into());
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_guesses_cost_twenty_checks_and_delay_nobody_else() {
    let auth = Arc::new(Auth::new());
    let config = Arc::new(config(&hash("hush", &[7; 16]), 20));
    let began = std::time::Instant::now();
    let mut guesses = tokio::task::JoinSet::new();
    for number in 0..1_000 {
        let (auth, config) = (auth.clone(), config.clone());
        guesses.spawn(async move {
            let mount = "/a".parse().unwrap();
            auth.allows(&config, Asks::Source(&mount), who(HERE, &format!("guess {number}"))).await
        });
    }
    // Another hash of the same password, so that nothing is remembered.
    let elsewhere = config_with(&config, &hash("hush", &[9; 16]));
    let mount = "/a".parse().unwrap();
    assert!(auth.allows(&elsewhere, Asks::Source(&mount), who(THERE, "hush")).await.is_ok());
    let before = auth.hashes.checks();
    let outcomes = guesses.join_all().await;

    assert!(outcomes.iter().all(Result::is_err));
    // a busy machine may take so long that one of the twenty is forgiven each three seconds
    let most = 20 + began.elapsed().as_secs() / 3 + 1;
    let wrong = outcomes.iter().filter(|outcome| **outcome == Err(Denied::Wrong)).count() as u64;
    assert!((20..=most).contains(&wrong), "{wrong} guesses were looked at");
    assert_eq!(auth.hashes.checks(), wrong + 1, "the wrong ones and the right one");
    assert!(before <= 15, "{before} checks came before the one of another address");
    let right = auth.allows(&config, Asks::Source(&mount), who(HERE, "right or not")).await;
    assert!(matches!(right, Err(Denied::TooMany(_))));
}
