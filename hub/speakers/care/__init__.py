"""Looking after loudspeakers: events, faults, alarms, repairs, the daily self-test."""
