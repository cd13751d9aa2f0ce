//! The names in use in a status: verdicts, conditions and their reasons.

use std::fmt;
use std::str::FromStr;

/// Declares an enum whose variants are written in manifests as they are spelt here.
macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name as manifests spell it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|name| name.as_str() == text)
                    .ok_or_else(|| UnknownName(text.to_owned()))
            }
        }
    };
}

/// A name that this build does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name this version knows")]
pub struct UnknownName(pub String);

names! {
    /// How a job, a step or a test ended.
    Verdict {
        /// All tests passed (a test: its output was accepted).
        Accepted,
        /// No tests, exit status 0.
        Completed,
        /// An output differs from the expected one.
        WrongAnswer,
        /// A step failed.
        CompileError,
        /// Non-zero exit status, a signal, or a command that cannot be started.
        RuntimeError,
        /// CPU time over its limit, or wall time over its limit while computing.
        TimeLimitExceeded,
        /// Wall time over its limit while mostly waiting.
        IdleLimitExceeded,
        /// The kernel killed a process of the run for memory.
        MemoryLimitExceeded,
        /// Standard output and error over their limit.
        OutputLimitExceeded,
        /// A file over its limit, or no room left in the workspace.
        DiskLimitExceeded,
        /// Failure with the process limit hit.
        ProcessLimitExceeded,
        /// The main process died of a forbidden system call.
        SandboxViolation,
        /// The job cannot be run as written.
        InvalidSpec,
        /// The checker or the tests are broken.
        JudgeError,
        /// The system failed, more often than it may be retried.
        InfrastructureError,
        /// maxQueueSeconds or activeDeadlineSeconds is over.
        DeadlineExceeded,
        /// The user set cancel.
        Cancelled,
    }
}

names! {
    /// Types of conditions.
    ConditionType {
        /// Whether the job may be queued: False with InvalidSpec, Suspended, NoCapableNode, QueueTimeout, CrdOutdated
        /// or FieldsLost.
        Admitted,
        /// Whether every layer was enforced: True with FullyEnforced, False with the layer's name.
        Sandboxed,
        /// Whether it is over: False with Queued, Preparing, Running or Retrying, True with the verdict.
        Finished,
        /// True or False by the program's verdict; Unknown when the end is not the program's.
        Succeeded,
    }
}

names! {
    /// Reasons of conditions, beside verdicts and names of layers.
    Reason {
        /// Waits for a slot.
        Queued,
        /// Fetches what the job needs.
        Preparing,
        /// Runs.
        Running,
        /// Will run again after a failure that was not the program's.
        Retrying,
        /// May be queued.
        Admitted,
        /// spec.suspend is true.
        Suspended,
        /// No node can run it.
        NoCapableNode,
        /// maxQueueSeconds is over.
        QueueTimeout,
        /// The CustomResourceDefinition lacks fields of the spec: nothing is run until it has them.
        CrdOutdated,
        /// Created while it lacked them: what the manifest says there is lost, and the job will not be run.
        FieldsLost,
        /// The spec cannot be run as written.
        InvalidSpec,
        /// Every layer was read back as planned.
        FullyEnforced,
    }
}

names! {
    /// Status of a condition.
    ConditionStatus {
        /// It holds.
        True,
        /// It does not.
        False,
        /// It cannot be said.
        Unknown,
    }
}

/// Whose an end is. Only infrastructure is ever retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerdictClass {
    /// Accepted or Completed.
    Success,
    /// The program failed.
    Program,
    /// Spec, tests, checker, infrastructure, deadline or the user: nothing is said about the program.
    NotProgram,
}

impl Verdict {
    /// Whose this end is.
    #[must_use]
    pub const fn class(self) -> VerdictClass {
        match self {
            Self::Accepted | Self::Completed => VerdictClass::Success,
            Self::WrongAnswer
            | Self::CompileError
            | Self::RuntimeError
            | Self::TimeLimitExceeded
            | Self::IdleLimitExceeded
            | Self::MemoryLimitExceeded
            | Self::OutputLimitExceeded
            | Self::DiskLimitExceeded
            | Self::ProcessLimitExceeded
            | Self::SandboxViolation => VerdictClass::Program,
            Self::InvalidSpec
            | Self::JudgeError
            | Self::InfrastructureError
            | Self::DeadlineExceeded
            | Self::Cancelled => VerdictClass::NotProgram,
        }
    }

    /// Status of the condition `Succeeded` after this end.
    #[must_use]
    pub const fn succeeded(self) -> ConditionStatus {
        match self.class() {
            VerdictClass::Success => ConditionStatus::True,
            VerdictClass::Program => ConditionStatus::False,
            VerdictClass::NotProgram => ConditionStatus::Unknown,
        }
    }

    /// Letter in `summary.pattern`; `None` for an end that a test cannot have. A skipped test is [`SKIPPED`].
    #[must_use]
    pub const fn letter(self) -> Option<char> {
        Some(match self {
            Self::Accepted => 'A',
            Self::Completed => 'C',
            Self::WrongAnswer => 'W',
            Self::RuntimeError => 'R',
            Self::TimeLimitExceeded => 'T',
            Self::IdleLimitExceeded => 'I',
            Self::MemoryLimitExceeded => 'M',
            Self::OutputLimitExceeded => 'O',
            Self::DiskLimitExceeded => 'D',
            Self::ProcessLimitExceeded => 'P',
            Self::SandboxViolation => 'V',
            Self::JudgeError => 'j',
            Self::InfrastructureError => 'x',
            Self::CompileError | Self::InvalidSpec | Self::DeadlineExceeded | Self::Cancelled => {
                return None;
            }
        })
    }
}

/// Letter of a test that was not run.
pub const SKIPPED: char = 's';
