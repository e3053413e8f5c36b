"""Documents of seat maps for tests."""

from typing import Any


def fullhouse_document() -> dict[str, Any]:
    """Return a small map with everything that the format has."""
    return {
        "format": "fullhouse-seat-map",
        "version": 1,
        "name": "Small Hall",
        "price_categories": [
            {"key": "front", "name": "Front", "color": "#aa3355"},
            {"key": "back"},
            {"key": "floor", "color": "teal"},
        ],
        "sections": [
            {
                "key": "stalls",
                "name": "Stalls",
                "best_place": {"x": 0.5, "y": 1},
                "price_category": "back",
                "rows": [
                    {
                        "key": "A",
                        "price_category": "front",
                        "seats": [
                            {"number": "1", "x": 0, "y": 0, "accessible": True, "companions": ["stalls-A-2"]},
                            {"number": "2", "x": 1, "y": 0},
                            {"number": "3", "x": 2, "y": 0, "price_category": "back", "label": "The good one"},
                        ],
                    },
                    {
                        "key": "B",
                        "name": "Bench B",
                        "seats": [{"key": "B1", "number": "1", "x": 0, "y": 1}, {"number": "2", "x": 1, "y": 1.5}],
                    },
                ],
            },
            {
                "key": "box",
                "rank": 7,
                "rows": [{"key": "1", "price_category": "back", "seats": [{"number": "1", "x": 9, "y": 4}]}],
            },
        ],
        "areas": [
            {
                "key": "pit",
                "name": "Pit",
                "capacity": 50,
                "price_category": "floor",
                "outline": [[0, -3], [3, -3], [3, -1], [0, -1]],
            }
        ],
        "landmarks": [{"name": "Stage", "outline": [[0, -9], [3, -9], [3, -4]]}],
    }


def pretix_document() -> dict[str, Any]:
    """Return a small plan as the pretix editor writes it."""
    return {
        "name": "Community Hall",
        "categories": [{"name": "Stalls", "color": "#33ffff"}, {"name": "Gallery", "color": "none at all!"}],
        "size": {"width": 600, "height": 400},
        "zones": [
            {
                "name": "Ground floor",
                "zone_id": "ground",
                "uuid": "5c36fe4f-0000-4000-8000-000000000001",
                "position": {"x": 100, "y": 50},
                "rows": [
                    {
                        "row_number": "1",
                        "row_number_position": "both",
                        "position": {"x": 10, "y": 20},
                        "seats": [
                            seat("Ground-1-1", "1", 0, "Stalls"),
                            seat("Ground-1-2", "2", 30, "Stalls"),
                        ],
                    },
                    {
                        "row_number": "2",
                        "row_label": "Second row (%s)",
                        "seat_label": "place %s",
                        "position": {"x": 10, "y": 50},
                        "seats": [seat("Ground-2-1", "1", 0, "Stalls")],
                    },
                    {
                        "row_number": "2",
                        "position": {"x": 200, "y": 50},
                        "seats": [seat("Ground-2-9", "9", 0, "Stalls")],
                    },
                ],
                "areas": [
                    {
                        "shape": "rectangle",
                        "position": {"x": 0, "y": -40},
                        "rectangle": {"width": 200, "height": 30},
                        "rotation": 90,
                        "text": {"text": "Stage", "position": {"x": 100, "y": 15}},
                    },
                    {"shape": "circle", "position": {"x": 5, "y": 5}, "circle": {"radius": 9}},
                    {"shape": "text", "position": {"x": 5, "y": 6}, "text": {"text": "Exit", "position": {}}},
                ],
            },
            {"name": "Only drawn", "position": {"x": 0, "y": 0}, "rows": [], "areas": []},
            {
                "position": {"x": 0, "y": 300},
                "rows": [
                    {
                        "row_number": "1",
                        "seats": [seat("Gallery-1-1", "1", 0, "Gallery") | {"start_direction": ">", "new": [1]}],
                    }
                ],
            },
        ],
    }


def seat(guid: str, number: str, x: float, category: str) -> dict[str, Any]:
    return {
        "seat_guid": guid,
        "seat_number": number,
        "position": {"x": x, "y": 0},
        "category": category,
        "radius": 10,
    }
