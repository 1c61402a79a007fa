"""Commands by MQTT: JSON on one topic, an answer to each on another. What may be written is the house's business."""

import time
from dataclasses import replace

from agent.northbound.api import Gateway
from agent.northbound.broker import packet
from agent.northbound.broker.client import Connection
from agent.northbound.command import Unreadable, parse, reply
from agent.northbound.house import Answer, Command
from agent.northbound.mqtt.topic import level

_RETAINED = Answer("stale", message="a retained message is no command: nobody knows how old it is")


class Orders:
    """The commands of one connection."""

    def __init__(self, gateway: Gateway, connection: Connection) -> None:
        place = f"floorgate/{level(gateway.id)}"
        self._house, self._connection = gateway.house, connection
        self._topic, self._head = f"{place}/$command", packet.topic_head(f"{place}/$answer".encode())

    async def open(self) -> None:
        """Listen. Raises Denied and Unavailable."""
        self._connection.on_message = self._heard
        await self._connection.subscribe([(self._topic, 1)])

    def close(self) -> None:
        """What has not begun is never done: it would come too late."""
        self._house.drop()

    def _heard(self, topic: str, payload: bytes, retain: bool) -> None:
        if topic != self._topic:
            return
        try:
            command = parse(payload)
        except Unreadable as error:
            self._turn_away(error.told, error.answer)
            return
        if retain:
            self._turn_away(command, _RETAINED)
        else:
            self._house.submit(command, lambda answer: self._answer(command, answer))

    def _turn_away(self, command: Command, answer: Answer) -> None:
        self._house.turned_away(command, answer)
        self._answer(command, answer)

    def _answer(self, command: Command, answer: Answer) -> None:
        """What a broker does not take for its size costs the connection: words go first, and then there is none."""
        connection = self._connection
        for said in (answer, replace(answer, message="", hint=""), replace(answer, value=None, message="", hint="")):
            message = self._head, reply(command, said, time.time_ns()), False
            if connection.size(message) <= (connection.limits.packet or packet.LARGEST):
                connection.publisher.post(message)
                return
