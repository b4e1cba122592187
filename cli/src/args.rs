//! The command line's shape: the list of commands and the flags that all of them have.

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    app, broker, completions, connect, consume, file, group, operator, plan, produce, streams,
    topic, up, verify,
};

const EXAMPLES: &str = "\
Examples:
  vltava up -f examples/wordcount          run a pipeline from YAML on this machine
  vltava up                                an empty platform: Kafka on 9092, Connect on 8083
  vltava plan -f examples/wordcount        what those files would change on a running cluster
  vltava topic create lines -p 3           make a topic
  echo 'a:1' | vltava produce lines -k :   write records, one a line
  vltava consume lines --from-beginning    read them
  vltava app test examples/wordcount/app.yaml

Exit codes: 0 done, 1 failed (one sentence on standard error says why), 2 wrong usage.";

/// A Kafka-compatible streaming platform in one binary: broker, Connect, Streams and operator
#[derive(Debug, Parser)]
#[command(name = "vltava", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) logging: LoggingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LoggingArgs {
    /// How logs are written to standard error; RUST_LOG says which, as in `info,broker=debug`
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        help_heading = "Logging"
    )]
    pub(crate) log_format: LogFormat,
}

/// For people, or one JSON object a line for collectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(up::UpArgs),
    Plan(plan::PlanArgs),
    Topic(topic::TopicArgs),
    Produce(produce::ProduceArgs),
    Consume(consume::ConsumeArgs),
    Group(group::GroupArgs),
    Verify(verify::VerifyArgs),
    App(app::AppArgs),
    Broker(broker::BrokerArgs),
    Connect(connect::ConnectArgs),
    Streams(streams::StreamsArgs),
    Operator(operator::OperatorArgs),
    File(file::FileArgs),
    Completions(completions::CompletionsArgs),
}

impl Command {
    /// Servers tell what they do; tools speak up only when something is wrong.
    pub(crate) fn default_log_level(&self) -> &'static str {
        match self {
            Self::Broker(_) | Self::Connect(_) | Self::Streams(_) | Self::Operator(_) => "info",
            Self::Up(_) => "warn",
            _ => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {} has no help",
                    command.get_name(),
                    argument.get_id()
                );
            }
        }
    }
}
