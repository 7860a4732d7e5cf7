"""Fitted initial weights"""
