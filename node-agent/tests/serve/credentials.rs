//! Whom the agent trusts, and how it proves who it is.

use evaljob_crds::wire::agent_message;

use crate::support::agent::{Agent, ended, setup};
use crate::support::operator::{Authority, Operator};
use crate::support::until;

#[tokio::test]
async fn an_operator_whose_certificate_is_not_of_the_ca_gets_no_token() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut impostor = Operator::start(&other).await;
    let agent = Agent::start(setup(&authority, &[impostor.address]));
    until("dials", || impostor.connections() >= 3).await;
    ended(agent.shut_down()).await;
    assert!(!impostor.more_streams(), "the issuer was not checked");
    let mut setup = setup(&authority, &[]);
    let mut operator = Operator::start(&authority).await;
    setup.link.operators = vec![operator.address.to_string().parse().unwrap()];
    setup.link.credentials.server_name = Some("another.test".to_owned());
    let agent = Agent::start(setup.clone());
    until("dials", || operator.connections() >= 3).await;
    ended(agent.shut_down()).await;
    assert!(!operator.more_streams(), "the name was not checked");
    setup.link.credentials.server_name = Some(crate::support::operator::NAME.to_owned());
    let agent = Agent::start(setup);
    operator.welcomed(1).await;
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn a_rotated_token_is_sent_once_and_used_for_the_next_dial() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let agent = Agent::start(setup(&authority, &[operator.address]));
    let mut stream = operator.welcomed(1).await;
    let token = |message| match message {
        agent_message::Message::Token(token) => Some(token.token),
        _ => None,
    };
    // A moment without a token, as a careless rotation makes it, is survived.
    std::fs::remove_file(&agent.token_file).unwrap();
    std::fs::write(&agent.token_file, "second\n").unwrap();
    assert_eq!(stream.find(token).await, "second");
    std::fs::write(&agent.token_file, "third\n").unwrap();
    assert_eq!(stream.find(token).await, "third", "each is sent once");
    drop(stream);
    assert_eq!(operator.welcomed(1).await.token, "third");
    agent.end(&mut operator).await;
}

#[tokio::test]
async fn an_agent_that_is_refused_dials_again_with_the_token_of_then() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let setup = setup(&authority, &[operator.address]);
    std::fs::write(&setup.link.credentials.token_file, "refused").unwrap();
    let agent = Agent::start(setup);
    std::fs::write(&agent.token_file, "good").unwrap();
    assert_eq!(operator.welcomed(1).await.token, "good");
    agent.end(&mut operator).await;
}
