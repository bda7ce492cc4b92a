"""What an observation and an action are: topics, QoS, episode bags, pacing, node runner."""
