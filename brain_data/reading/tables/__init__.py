"""Tables beside a recording: trials, stimuli, words."""
