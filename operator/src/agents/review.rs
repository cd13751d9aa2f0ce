//! Who an agent is: one TokenReview per token, and every check of invariant 7.
//!
//! In: a bearer token. Out: [`AgentIdentity`], or why not. Any author of a Pod can mint a token of his own account
//! with our audience: the exact user name is the wall, and the node comes from the token, never from the agent's
//! word. [`check`] is pure.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, PostParams};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tonic::Status;

use super::ServiceAccount;
use crate::names::NodeName;

/// Reviews under way: a crowd of agents after a restart must not starve the results.
const CONCURRENCY: usize = 8;
/// Longest time for a review.
const TIMEOUT: Duration = Duration::from_secs(10);

const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";

/// The agent that a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentIdentity {
    /// Node of its Pod.
    pub node: NodeName,
    /// Name of its Pod.
    pub pod_name: String,
    /// uid of its Pod.
    pub pod_uid: String,
    /// When the token ends, by the API server's clock.
    pub expires: Timestamp,
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The API server does not know it, or it has expired, or its Pod is gone, or it has another audience.
    #[error("the token is not valid for audience {audience:?}: {words}")]
    NotAuthenticated {
        /// Ours.
        audience: String,
        /// The server's words.
        words: String,
    },
    /// It belongs to another account.
    #[error("the token is of {user:?}, not of the agents' account {expected:?}")]
    OtherAccount {
        /// Its account.
        user: String,
        /// The agents'.
        expected: String,
    },
    /// It is not bound to exactly one Pod on one node.
    #[error(
        "the token has no single {claim} (hint: agents need a projected token, bound to their Pod)"
    )]
    NotBound {
        /// What is missing or there more than once.
        claim: &'static str,
    },
    /// Its end cannot be read.
    #[error("the token has no readable end (hint: agents need a projected token)")]
    NoExpiry,
    /// The API server cannot be asked.
    #[error("the token cannot be reviewed now")]
    Unavailable,
}

impl ReviewError {
    /// Label for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAuthenticated { .. } => "not_authenticated",
            Self::OtherAccount { .. } => "other_account",
            Self::NotBound { .. } => "not_bound",
            Self::NoExpiry => "no_expiry",
            Self::Unavailable => "review_unavailable",
        }
    }

    /// What the agent is told.
    #[must_use]
    pub fn status(&self) -> Status {
        let words = self.to_string();
        match self {
            Self::NotAuthenticated { .. } | Self::NoExpiry => Status::unauthenticated(words),
            Self::OtherAccount { .. } | Self::NotBound { .. } => Status::permission_denied(words),
            Self::Unavailable => Status::unavailable(words),
        }
    }
}

/// Reviews tokens at the API server.
pub struct Reviewer {
    api: Api<TokenReview>,
    audience: String,
    account: ServiceAccount,
    permits: Semaphore,
}

impl std::fmt::Debug for Reviewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reviewer")
            .field("audience", &self.audience)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl Reviewer {
    /// A reviewer for tokens of `account` with `audience`.
    #[must_use]
    pub fn new(client: Client, audience: String, account: ServiceAccount) -> Self {
        Self {
            api: Api::all(client),
            audience,
            account,
            permits: Semaphore::new(CONCURRENCY),
        }
    }

    /// Who the token belongs to.
    ///
    /// # Errors
    /// [`ReviewError`] where it is not an agent's.
    pub async fn review(&self, token: &str) -> Result<AgentIdentity, ReviewError> {
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|_| ReviewError::Unavailable)?;
        let review = TokenReview {
            spec: TokenReviewSpec {
                audiences: Some(vec![self.audience.clone()]),
                token: Some(token.to_owned()),
            },
            ..TokenReview::default()
        };
        let params = PostParams::default();
        let answer = tokio::time::timeout(TIMEOUT, self.api.create(&params, &review)).await;
        let review = match answer {
            Ok(Ok(review)) => review,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a TokenReview failed");
                return Err(ReviewError::Unavailable);
            }
            Err(_) => return Err(ReviewError::Unavailable),
        };
        check(
            review.status.unwrap_or_default(),
            token,
            &self.audience,
            &self.account,
        )
    }
}

/// Every check of a review's answer.
fn check(
    status: TokenReviewStatus,
    token: &str,
    audience: &str,
    account: &ServiceAccount,
) -> Result<AgentIdentity, ReviewError> {
    let audiences = status.audiences.unwrap_or_default();
    if status.authenticated != Some(true) || !audiences.iter().any(|name| name == audience) {
        return Err(ReviewError::NotAuthenticated {
            audience: audience.to_owned(),
            words: status.error.unwrap_or_else(|| "refused".to_owned()),
        });
    }
    let user = status.user.unwrap_or_default();
    let name = user.username.unwrap_or_default();
    let expected = account.user_name();
    if name != expected {
        return Err(ReviewError::OtherAccount {
            user: name,
            expected,
        });
    }
    let extra = user.extra.unwrap_or_default();
    let single = |claim: &'static str| match extra.get(claim).map(Vec::as_slice) {
        Some([value]) if !value.is_empty() => Ok(value.clone()),
        _ => Err(ReviewError::NotBound { claim }),
    };
    Ok(AgentIdentity {
        pod_name: single(POD_NAME)?,
        pod_uid: single(POD_UID)?,
        node: NodeName(single(NODE_NAME)?.into()),
        expires: expiry(token).ok_or(ReviewError::NoExpiry)?,
    })
}

/// The `exp` claim of a token that the API server has found to be genuine.
fn expiry(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let payload = token.split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&json).ok()?;
    Timestamp::from_second(claims.exp).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::authentication::v1::UserInfo;

    use super::*;

    const AUDIENCE: &str = "evaljob-operator";

    fn account() -> ServiceAccount {
        "evaljob-system/evaljob-agent".parse().unwrap()
    }

    fn token() -> String {
        format!(
            "e30.{}.sig",
            URL_SAFE_NO_PAD.encode(r#"{"exp":1800000000}"#)
        )
    }

    fn good() -> TokenReviewStatus {
        let one = |claim: &str, value: &str| (claim.to_owned(), vec![value.to_owned()]);
        TokenReviewStatus {
            authenticated: Some(true),
            audiences: Some(vec![AUDIENCE.to_owned()]),
            user: Some(UserInfo {
                username: Some("system:serviceaccount:evaljob-system:evaljob-agent".to_owned()),
                extra: Some(BTreeMap::from([
                    one(POD_NAME, "agent-x"),
                    one(POD_UID, "pod-uid"),
                    one(NODE_NAME, "n1"),
                    one("authentication.kubernetes.io/node-uid", "node-uid"),
                ])),
                ..UserInfo::default()
            }),
            error: None,
        }
    }

    fn spoil(change: impl FnOnce(&mut TokenReviewStatus)) -> Result<AgentIdentity, ReviewError> {
        let mut status = good();
        change(&mut status);
        check(status, &token(), AUDIENCE, &account())
    }

    fn extra(status: &mut TokenReviewStatus) -> &mut BTreeMap<String, Vec<String>> {
        status.user.as_mut().unwrap().extra.as_mut().unwrap()
    }

    #[test]
    fn an_agents_token_names_its_node_and_pod() {
        let identity = spoil(|_| {}).unwrap();
        assert_eq!(&*identity.node.0, "n1");
        assert_eq!(identity.pod_uid, "pod-uid");
        assert_eq!(identity.expires.as_second(), 1_800_000_000);
    }

    #[test]
    fn a_token_with_anything_amiss_is_refused() {
        type Spoil = fn(&mut TokenReviewStatus);
        let rows: [(&str, Spoil, &str); 12] = [
            (
                "not authenticated",
                |s| s.authenticated = Some(false),
                "not_authenticated",
            ),
            ("silence", |s| s.authenticated = None, "not_authenticated"),
            (
                "other audience",
                |s| s.audiences = Some(vec!["api".into()]),
                "not_authenticated",
            ),
            ("no audience", |s| s.audiences = None, "not_authenticated"),
            (
                "other account",
                |s| {
                    s.user.as_mut().unwrap().username =
                        Some("system:serviceaccount:user:evaljob-agent".into())
                },
                "other_account",
            ),
            (
                "suffix of the name",
                |s| {
                    s.user.as_mut().unwrap().username =
                        Some("system:serviceaccount:evaljob-system:evaljob-agent2".into())
                },
                "other_account",
            ),
            ("no user", |s| s.user = None, "other_account"),
            (
                "no node claim",
                |s| {
                    extra(s).remove(NODE_NAME);
                },
                "not_bound",
            ),
            (
                "two nodes",
                |s| extra(s).get_mut(NODE_NAME).unwrap().push("n2".into()),
                "not_bound",
            ),
            (
                "no pod",
                |s| {
                    extra(s).remove(POD_UID);
                },
                "not_bound",
            ),
            (
                "two pods",
                |s| extra(s).get_mut(POD_NAME).unwrap().push("b".into()),
                "not_bound",
            ),
            (
                "empty node",
                |s| {
                    extra(s)
                        .insert(NODE_NAME.into(), vec![String::new()])
                        .map_or((), |_| ())
                },
                "not_bound",
            ),
        ];
        for (row, change, reason) in rows {
            let error = spoil(change).expect_err(row);
            assert_eq!(error.reason(), reason, "{row}: {error}");
        }
    }

    #[test]
    fn a_token_without_a_readable_end_is_refused() {
        for text in ["opaque", "a.b.c", "e30.e30.sig"] {
            let error = check(good(), text, AUDIENCE, &account()).expect_err(text);
            assert_eq!(error.reason(), "no_expiry", "{text}");
        }
    }
}
