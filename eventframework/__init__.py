"""Typed events with three delivery policies, and the high-volume stream, over RabbitMQ or in memory."""
