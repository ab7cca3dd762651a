"""One file per subcommand: prepare(parser) declares its options, run(args) carries it out.

The table of subcommands is `harness.cli.COMMANDS`. Only these modules print.
"""
