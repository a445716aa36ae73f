internal import CommandLine

Program.exit(with: Program.run(Console.processArguments, on: .process))
