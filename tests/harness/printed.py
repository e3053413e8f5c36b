"""A ticket as it is printed."""

from datetime import UTC, datetime
from uuid import UUID

from fullhouse.tickets.rules import Document, TicketFace

CODES = [f"FH1{'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567' * 5}{'A' * 24}{letter}B" for letter in "ABCDEFGHIJ"]

FACE = TicketFace(
    ticket_id=UUID(int=1),
    reference="7F3A-22C1-90DE",
    place=(("Setor", "Plateia"), ("Lugar", "Fila C, 11")),
    ticket_type="Inteira",
    price="R$ 45,00",
    holder="Ana Souza",
    number="1 de 1",
    code=CODES[0],
)
DOCUMENT = Document(
    language="pt-BR",
    title="Seus ingressos",
    organization="Teatro da Praça",
    event="A Noite dos Mascarados",
    session="Sessão da noite",
    date="sábado, 5 de dezembro de 2026",
    time="20:00",
    time_zone="Horário Padrão de Brasília",
    location="Praça Ramos, São Paulo",
    labels={
        "date": "Data",
        "time": "Horário",
        "location": "Local",
        "ticket_type": "Ingresso",
        "price": "Preço",
        "holder": "Nome",
        "qr": "QR",
        "advice": "Mostre este código na entrada.",
    },
    tickets=(FACE,),
    issued_at=datetime(2026, 11, 1, 12, tzinfo=UTC),
)
